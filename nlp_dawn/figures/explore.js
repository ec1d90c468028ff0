// The figures of a page: <nlp-dawn-figure>, all states inside, no server.
(() => {
  "use strict";
  const NAME = "nlp-dawn-figure";
  if (customElements.get(NAME)) return;

  async function decompress(base64) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes])
      .stream()
      .pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  // The encodings are described in packing.py.
  function decode(content, encoding) {
    if (encoding === "texts") {
      return content.which.map((k) => content.texts[k]);
    }
    let seen = 0;
    let row = [];
    return content.rows.map((written) => {
      let entries = written;
      if (encoding === "changes") {
        entries = written.slice(1);
        if (written[0]) {
          const whole = row.slice();
          let place = 0;
          for (let k = 1; k < written.length; k += 2) {
            place += written[k];
            whole[place] = written[k + 1];
          }
          entries = whole;
        }
      }
      row = entries.map((entry) => entry || ++seen);
      return row;
    });
  }

  // A value as Python writes it.
  function literal(value, float) {
    if (typeof value === "boolean") return value ? "True" : "False";
    if (typeof value === "string") return JSON.stringify(value);
    const text = String(value);
    return float && /^-?\d+$/.test(text) ? `${text}.0` : text;
  }

  class Figure extends HTMLElement {
    connectedCallback() {
      // While the page is being read, the element has no content yet.
      if (document.readyState === "loading") {
        document.addEventListener("DOMContentLoaded", () => this.#upgrade(), {
          once: true,
        });
      } else {
        this.#upgrade();
      }
    }

    #controls; // as static.py describes them, each with its inputs
    #table; // a promise of the states
    #shown = []; // what is in each panel
    #told = []; // what is in the tables of its numbers
    #due = 0; // the frame that will paint
    #since = null; // when the input came that it will show

    #upgrade() {
      if (this.#controls || !this.isConnected) return;
      if (typeof DecompressionStream === "undefined") {
        const note = this.querySelector("noscript");
        note.outerHTML = note.textContent;
        return;
      }
      this.#controls = JSON.parse(
        this.querySelector("script.figure-controls").textContent,
      );
      const rows = this.querySelectorAll(".control");
      this.#controls.forEach((control, k) => {
        control.inputs = [...rows[k].querySelectorAll("input")];
        control.text = rows[k].querySelector(".value");
        const label = rows[k].querySelector(".label, .switch");
        control.label = label.textContent.trim();
        for (const input of control.inputs) {
          input.addEventListener("input", (event) => this.#moved(event));
          if (input.type === "range") this.#spare(input);
        }
      });
      // Unpacked when the reader comes near, so that a page with many figures
      // does not unpack them all.
      for (const approach of ["pointerenter", "focusin"]) {
        this.addEventListener(approach, () => this.#load(), { once: true });
      }
      this.querySelector(".copy-link").addEventListener("click", () =>
        this.#copy(this.link, "Copied. It opens the figure as it is now."),
      );
      this.querySelector(".copy-python")?.addEventListener("click", async () =>
        this.#copy(await this.python(), "Copied. It draws the figure as it is now."),
      );
      this.querySelector(".numbers")?.addEventListener("toggle", async () =>
        this.#tell(await this.#load()),
      );
      this.dataset.ready = "";
      const asked = this.#asked();
      if (Object.keys(asked).length) this.show(asked);
    }

    // A finger that comes down on a slider moves it at once. Where the browser
    // then takes the gesture to scroll the page, the slider goes back.
    #spare(slider) {
      let before;
      slider.addEventListener("pointerdown", () => {
        before = slider.value;
      });
      slider.addEventListener("pointercancel", (event) => {
        slider.value = before;
        this.#moved(event);
      });
    }

    // The part of the state that the page's address asks for, as in
    // ?softmax-temperature.tau=0.5. A value that is not on the grid is
    // passed over: the link is older than the figure.
    #asked() {
      const address = new URLSearchParams(location.search);
      const state = {};
      for (const { name, values } of this.#controls) {
        const text = address.get(this.#parameter(name))?.trim();
        const value = values.find(
          (one) =>
            String(one) === text ||
            (typeof one === "number" && text && one === Number(text)),
        );
        if (value !== undefined) state[name] = value;
      }
      return state;
    }

    #parameter(name) {
      return `${this.id.replace(/^figure-/, "")}.${name}`;
    }

    // The address of this page, with this figure as it is now.
    get link() {
      const address = new URL(location.href);
      for (const [name, value] of Object.entries(this.state)) {
        address.searchParams.set(this.#parameter(name), value);
      }
      address.hash = this.id;
      return address.href;
    }

    // A program that draws this figure as it is now and prints its sentence.
    async python() {
      const { python } = await this.#load();
      const state = this.#controls.map((control, k) => {
        const value = control.values[this.indices[k]];
        return `${control.name}=${literal(value, control.float)}`;
      });
      const from = location.protocol.startsWith("http") ? ` (${this.link})` : "";
      return [
        `# ${this.querySelector("figcaption").textContent}${from}`,
        "# Needs: pip install \"nlp-dawn[notebook]\"",
        python.join(state.join(", ")),
      ].join("\n");
    }

    async #copy(text, done) {
      const status = this.querySelector(".tools [role=status]");
      this.querySelector(".by-hand")?.remove();
      try {
        await navigator.clipboard.writeText(text);
        status.textContent = done;
      } catch {
        // Not every browser lets a page write there.
        status.textContent = "To be copied by hand:";
        const field = document.createElement("textarea");
        field.className = "by-hand";
        field.readOnly = true;
        field.value = text.trimEnd();
        field.rows = Math.min(field.value.split("\n").length, 12);
        field.setAttribute("aria-label", "To be copied");
        status.parentElement.after(field);
        field.focus();
        field.select();
      }
    }

    // Where each control stands, as places in its list of values.
    get indices() {
      return this.#controls.map(({ kind, values, inputs }) => {
        if (kind === "switch") return values.indexOf(inputs[0].checked);
        if (kind === "choice") return inputs.findIndex((i) => i.checked);
        return Number(inputs[0].value);
      });
    }

    // The state as Python has it: {tau: 0.5, stable: true}.
    get state() {
      const indices = this.indices;
      return Object.fromEntries(
        this.#controls.map(({ name, values }, k) => [name, values[indices[k]]]),
      );
    }

    // What each control can be: {tau: [0.1, 0.5], stable: [true, false]}.
    get grid() {
      return Object.fromEntries(
        this.#controls.map(({ name, values }) => [name, values]),
      );
    }

    // Set controls by value and show the state; resolves when it is painted.
    // A value that is not on the grid is refused.
    async show(state) {
      for (const [name, value] of Object.entries(state)) {
        const control = this.#controls.find((c) => c.name === name);
        const index = control ? control.values.indexOf(value) : -1;
        if (index < 0) {
          throw new RangeError(`${this.id} has no state ${name}=${value}`);
        }
        const { kind, inputs } = control;
        if (kind === "switch") inputs[0].checked = value;
        else if (kind === "choice") inputs[index].checked = true;
        else inputs[0].value = index;
      }
      this.#label();
      await this.#paint();
    }

    #load() {
      this.#table ??= (async () => {
        const script = this.querySelector("script.figure-states");
        const content = await decompress(script.textContent);
        const texts = decode(content, script.dataset.encoding);
        const { lines, extra } = content;
        const text = (k) =>
          lines
            ? texts[k].map((number) => lines[number - 1]).join("\n")
            : texts[k];
        return { text, ...extra };
      })();
      return this.#table;
    }

    #moved(event) {
      this.#label();
      this.#since ??= event.timeStamp;
      if (!this.#due) {
        this.#due = requestAnimationFrame(() => {
          this.#due = 0;
          this.#paint();
        });
      }
    }

    #label() {
      const now = this.#controls.map(
        ({ label, texts }, k) => `${label}: ${texts[this.indices[k]]}`,
      );
      this.querySelector(".state").textContent = `Shown: ${now.join("; ")}.`;
      this.indices.forEach((index, k) => {
        const { inputs, text, texts } = this.#controls[k];
        if (!text) return;
        text.textContent = texts[index];
        inputs[0].setAttribute("aria-valuetext", texts[index]);
      });
    }

    // Where the state stands among all states.
    get #place() {
      return this.indices.reduce(
        (sum, index, k) => sum * this.#controls[k].values.length + index,
        0,
      );
    }

    // The state's numbers, while somebody looks at them.
    #tell(table) {
      if (!this.querySelector(".numbers")?.open) return;
      this.querySelectorAll(".panel-numbers").forEach((panel, k) => {
        const numbers = table.numbers[k][this.#place];
        if (this.#told[k] === numbers) return;
        panel.innerHTML = table.text(numbers);
        this.#told[k] = numbers;
      });
    }

    async #paint() {
      const sentence = this.querySelector(".sentence p");
      let table;
      try {
        table = await this.#load();
      } catch (error) {
        sentence.textContent =
          "The states of this figure are damaged; reload the page.";
        throw error;
      }
      const place = this.#place;
      this.querySelectorAll(".panel").forEach((panel, k) => {
        const picture = table.shown[k][place];
        if (this.#shown[k] === picture) return;
        panel.innerHTML = table.text(picture);
        this.#shown[k] = picture;
      });
      sentence.textContent = table.sentences[place];
      this.#tell(table);
      const since = this.#since;
      this.#since = null;
      // A message is delivered after the frame that the browser now makes.
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        channel.port1.close();
        this.dispatchEvent(
          new CustomEvent("nlp-dawn-painted", {
            bubbles: true,
            detail: {
              state: this.state,
              sentence: sentence.textContent,
              milliseconds: since === null ? null : performance.now() - since,
            },
          }),
        );
      };
      channel.port2.postMessage(null);
    }
  }

  customElements.define(NAME, Figure);
})();
