// The exercises of a page: what the reader answers, and what is said of it.
//
// Their places stand in the page already (nlp_dawn/site/answers.py), and come
// in sight when this script has woken them up. Without it a page has the
// statement, the stub, the hints and the solution.

import { button, element, marked } from "./elements.js";
import { judge, parse } from "./number.js";
import { showProgress } from "./progress.js";
import { CannotLoad, ask, obstacle } from "./python.js";
import * as store from "./store.js";
import { shown } from "./verdict.js";

const STATIC = new URL(".", document.currentScript.src);
const exercises = new Map(); // by id

// What every kind of exercise has: a place for the verdict, and a mark when it
// is done.
class Exercise {
  constructor(box, data) {
    this.box = box;
    this.data = data;
    this.id = data.id;
    this.title = box.querySelector(".exercise-title strong");
    this.status = box.querySelector(".exercise-status");
    this.tools = box.querySelector(".exercise-tools");
    this.mark();
  }

  get entry() {
    return store.read(this.id);
  }

  keep(changes) {
    store.write(this.id, { changed: new Date().toISOString(), ...changes });
  }

  mark() {
    const done = Boolean(this.entry.done);
    this.box.classList.toggle("done", done);
    this.title.querySelector(".done-mark")?.remove();
    if (done) {
      this.title.append(
        element("span", { class: "done-mark" }, " ✓ done"),
      );
    }
  }

  say(...content) {
    this.status.replaceChildren(...content);
  }

  show(verdict, settings) {
    if (verdict.status === "passed") {
      this.keep({ done: new Date().toISOString() });
      this.mark();
    }
    this.say(shown(verdict, settings));
  }

  note(text) {
    this.say(paragraph(text));
  }

  // The button that does this, which from now on it does.
  on(name, action) {
    const found = this.box.querySelector(`[data-does="${name}"]`);
    found.addEventListener("click", action);
    return found;
  }
}

function paragraph(text) {
  return element("p", { class: "note" }, ...marked(text));
}

class Choice extends Exercise {
  constructor(box, data) {
    super(box, data);
    const list = box.querySelector("ul.choices");
    this.letters = Object.keys(data.choices);
    this.choices = new Map(); // what the page shows of a letter
    const group = element(
      "fieldset",
      { class: "choices" },
      element("legend", {}, "Your prediction"),
    );
    [...list.children].forEach((item, k) => {
      const letter = this.letters[k];
      const input = element("input", {
        type: "radio",
        name: `choice-${this.id}`,
        value: letter,
        autocomplete: "off",
      });
      input.addEventListener("change", () => {
        this.keep({ answer: letter });
        this.say();
      });
      const text = element("span", {}, ...inlined(item));
      this.choices.set(letter, text);
      group.append(element("label", {}, input, text));
    });
    list.replaceWith(group);
    this.group = group;
    this.on("check", () => this.check());
    this.refresh();
  }

  get chosen() {
    return this.group.querySelector("input:checked")?.value ?? "";
  }

  refresh() {
    const { answer } = this.entry;
    for (const input of this.group.querySelectorAll("input")) {
      input.checked = input.value === answer;
    }
    this.mark();
  }

  check() {
    if (!this.chosen) {
      this.note("Choose first: what you expected is what you will remember.");
      this.group.querySelector("input").focus();
      return;
    }
    this.show(this.data.choices[this.chosen], {
      choice: (letter) =>
        [...this.choices.get(letter).childNodes].map((node) =>
          node.cloneNode(true),
        ),
    });
  }
}

// The content of a list item, whose paragraphs may not stand in a label.
function inlined(item) {
  return [...item.children].flatMap((child) =>
    child.tagName === "P" ? [...child.childNodes] : [child],
  );
}

class Code {
  // A piece of Python that the reader edits: first a textarea, an editor when
  // it is loaded.
  constructor(area, { text, changed, submit }) {
    this.area = area;
    this.first = area.defaultValue; // a reload may keep what was typed
    this.submit = submit;
    if (text !== undefined) this.value = text;
    area.addEventListener("input", () => {
      this.fit();
      changed(this.value);
    });
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
    });
    area.addEventListener("focus", loadEditor, { once: true });
    waiting.add(this);
    nearby.observe(area);
  }

  get value() {
    return this.area.value;
  }

  set value(text) {
    this.area.value = text;
    if (this.editor) this.editor.value = text;
    this.fit();
  }

  fit() {
    this.area.rows = this.area.value.split("\n").length;
  }

  focus() {
    (this.editor ?? this.area).focus();
  }

  upgrade() {
    this.editor = window.nlpDawnEditor.replace(this.area, {
      submit: this.submit,
    });
  }
}

// The editor is loaded once, when an exercise with code comes near.
const waiting = new Set();
const nearby = new IntersectionObserver(
  (seen) => {
    if (seen.some((one) => one.isIntersecting)) loadEditor();
  },
  { rootMargin: "600px" },
);
let editorLoading = false;

function loadEditor() {
  if (editorLoading) return;
  editorLoading = true;
  nearby.disconnect();
  const script = element("script", { src: new URL("editor.js", STATIC).href });
  script.addEventListener("load", () => {
    waiting.forEach((code) => code.upgrade());
    waiting.clear();
  });
  // Where it does not come, the textareas remain.
  document.head.append(script);
}

// What needs Python: a function to be written, or a place to try things out.
class Program extends Exercise {
  // Where it says what Python does: with the verdict, or elsewhere.
  get output() {
    return this.status;
  }

  report(text) {
    this.output.replaceChildren(paragraph(text));
  }

  edit(text, changed, submit) {
    const area = this.box.querySelector("textarea");
    this.code = new Code(area, { text, changed, submit });
  }

  // Ask Python, and show what it says in the meantime.
  async ask(kind) {
    if (this.halt) return; // it is being answered
    const trouble = obstacle();
    if (trouble) {
      this.report(trouble);
      return;
    }
    const busy = new AbortController();
    const asking = [...this.tools.querySelectorAll("button.python")];
    const focused = document.activeElement;
    const halt = button("Stop", () => busy.abort(), { class: "stop" });
    this.halt = halt;
    asking.forEach((one) => (one.disabled = true));
    this.tools.append(halt);
    if (asking.includes(focused)) halt.focus();
    try {
      this.report("Running …");
      const outcome = await ask(
        {
          ask: kind,
          id: this.id,
          source: this.code.value,
          earlier: this.earlier(),
        },
        {
          limit: this.data.limit,
          signal: busy.signal,
          loading: (progress) => this.showLoading(progress),
        },
      );
      this.showOutcome(kind, outcome);
    } catch (error) {
      if (!(error instanceof CannotLoad)) throw error;
      this.report(
        `Python could not be loaded (${error.message}). Press the button to ` +
          "try again, or work in the notebook, which " +
          "`nlp-dawn exercises start my-exercises` copies for you.",
      );
    } finally {
      this.bar?.remove();
      this.bar = null;
      const there = document.activeElement === halt;
      halt.remove();
      this.halt = null;
      asking.forEach((one) => (one.disabled = false));
      if (there) focused.focus();
    }
  }

  // The answers that this one builds on are the reader's own.
  earlier() {
    const chapter = this.id.split(":")[0];
    return Object.fromEntries(
      this.data.prerequisites.map((name) => [
        name,
        store.read(`${chapter}:${name}`).answer ?? "",
      ]),
    );
  }

  showLoading(progress) {
    if (!progress) {
      if (this.bar) {
        this.bar.remove();
        this.bar = null;
        this.report("Running …");
      }
      return;
    }
    if (!this.bar) {
      this.report(
        "Loading Python into this page. Your browser keeps it for next time.",
      );
      this.bar = element(
        "p",
        { class: "exercise-loading" },
        element("progress", { "aria-label": "Loading Python" }),
        element("span"),
      );
      this.output.before(this.bar);
    }
    const [meter, text] = this.bar.children;
    const { done, total } = progress;
    if (total) {
      meter.max = total;
      meter.value = done;
      const mb = (bytes) => (bytes / 1e6).toFixed(1);
      text.textContent = ` ${mb(done)} of ${mb(total)} MB`;
    }
  }

  showOutcome(kind, outcome) {
    if (outcome.stopped) {
      this.report("Stopped.");
    } else if (outcome.late) {
      if (kind === "check") this.show(this.data.late);
      else {
        this.report(
          `This did not end within ${this.data.limit} s and was stopped. Is ` +
            "there a loop that never ends?",
        );
      }
    } else if ("died" in outcome) {
      if (kind === "check") this.show(this.data.died);
      else this.report(`This ended Python itself (${outcome.died}).`);
    } else if (kind === "check") {
      this.show(outcome.answer);
    } else {
      this.showRun(outcome.answer);
    }
  }

  showRun({ output, error }) {
    if (!output && !error) {
      this.report("It ran, and printed nothing.");
      return;
    }
    const parts = [];
    if (output) {
      parts.push(element("pre", { tabindex: "0" }, output.trimEnd()));
    }
    if (error) {
      parts.push(
        element("pre", { class: "error", tabindex: "0" }, error.trimEnd()),
      );
    }
    this.output.replaceChildren(
      element("div", { class: "printed" }, ...parts),
    );
  }
}

class Implement extends Program {
  constructor(box, data) {
    super(box, data);
    this.edit(
      this.entry.answer,
      (text) => {
        this.keep({ answer: text });
        this.undo.hidden = true;
        this.reset.hidden = text === this.stub;
      },
      () => this.check(),
    );
    this.stub = this.code.first;
    this.on("check", () => this.check());
    this.on("run", () => this.ask("run"));
    this.reset = this.on("reset", () => this.putBack(this.stub));
    this.undo = this.on("undo", () => this.putBack(this.dropped));
    this.reset.hidden = this.code.value === this.stub;
  }

  check() {
    return this.ask("check");
  }

  putBack(text) {
    const before = this.code.value;
    this.code.value = text;
    this.keep({ answer: text });
    this.dropped = before;
    const reset = text === this.stub;
    this.reset.hidden = reset;
    this.undo.hidden = !reset;
    this.note(
      reset
        ? "The stub is back. Your answer is one button away until you type."
        : "Your answer is back.",
    );
    (reset ? this.undo : this.reset).focus();
  }

  refresh() {
    const { answer } = this.entry;
    if (answer !== undefined && answer !== this.code.value) {
      this.code.value = answer;
    }
    this.mark();
  }
}

class NumberAsked extends Program {
  constructor(box, data) {
    super(box, data);
    this.input = box.querySelector(".exercise-number input");
    this.input.addEventListener("input", () => {
      this.keep({ answer: this.input.value });
      this.say();
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.check();
    });
    this.on("sign", () => this.flip());
    this.on("check", () => this.check());
    // Python at hand, for who wants to compute rather than think.
    this.printed = box.querySelector(".printed-here");
    this.edit(
      this.entry.scratch,
      (text) => store.write(this.id, { scratch: text }),
      () => this.ask("run"),
    );
    this.on("run", () => this.ask("run"));
    this.refresh();
  }

  // What is printed stands below the code, the verdict above it.
  get output() {
    return this.printed;
  }

  flip() {
    const text = this.input.value.trim();
    this.input.value = /^[-−]/.test(text)
      ? text.slice(1)
      : `-${text.replace(/^\+/, "")}`;
    this.keep({ answer: this.input.value });
    this.input.focus();
  }

  refresh() {
    this.input.value = this.entry.answer ?? "";
    this.mark();
  }

  check() {
    const text = this.input.value;
    const number = parse(text);
    if (number) {
      const verdict = judge(number, this.data);
      const failed = verdict.status === "failed";
      this.show({
        ...verdict,
        call: failed ? [`your answer: ${text.trim()}`] : [],
      });
      return;
    }
    const comma = /^\s*[-+−]?\d+,\d+\s*$/.test(text);
    this.note(
      comma
        ? `Write a decimal point: \`${text.trim().replace(",", ".")}\`.`
        : "Write a number, such as `0.25`, `-3`, `1e-4` or `2/3`.",
    );
    this.input.focus();
  }
}

const KINDS = { implement: Implement, number: NumberAsked, predict: Choice };

function begin() {
  for (const box of document.querySelectorAll("div.exercise")) {
    const script = box.querySelector("script.exercise-data");
    const data = JSON.parse(script.textContent);
    exercises.set(data.id, new KINDS[data.kind](box, data));
    box.dataset.ready = "";
  }
  store.watch((id) => exercises.get(id)?.refresh());
  const page = document.querySelector(".exercise-progress");
  if (page) showProgress(page);
}

begin();
