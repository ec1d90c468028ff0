// The editor, which is loaded when the reader comes near an exercise.

import {
  defaultKeymap,
  history,
  historyKeymap,
  indentWithTab,
} from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import {
  bracketMatching,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import {
  EditorView,
  drawSelection,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

// An editor in place of a textarea; it has `value` and `focus()` like it.
//
// Tab indents. Escape, then Tab, leaves: CodeMirror lets one Tab pass then.
function replace(area, { submit }) {
  const focused = document.activeElement === area;
  const view = new EditorView({
    state: EditorState.create({
      doc: area.value,
      selection: { anchor: area.selectionStart, head: area.selectionEnd },
      extensions: [
        lineNumbers(),
        highlightSpecialChars(),
        history(),
        drawSelection(),
        bracketMatching(),
        indentOnInput(),
        indentUnit.of("    "),
        EditorState.tabSize.of(4),
        python(),
        syntaxHighlighting(classHighlighter),
        keymap.of([
          { key: "Mod-Enter", run: () => (submit(), true) },
          { key: "Shift-Enter", run: () => (submit(), true) },
          ...defaultKeymap,
          ...historyKeymap,
          indentWithTab,
        ]),
        EditorView.contentAttributes.of({
          "aria-label": area.getAttribute("aria-label"),
          "aria-describedby": area.getAttribute("aria-describedby") ?? "",
          autocapitalize: "off",
          autocorrect: "off",
          spellcheck: "false",
          // It can be reached in any case; this says so to whoever asks.
          tabindex: "0",
        }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) {
            area.value = view.state.doc.toString();
            area.dispatchEvent(new Event("input"));
          }
        }),
      ],
    }),
  });
  area.before(view.dom);
  area.hidden = true;
  if (focused) view.focus();
  return {
    get value() {
      return view.state.doc.toString();
    },
    set value(text) {
      view.dispatch({
        changes: { from: 0, to: view.state.doc.length, insert: text },
      });
    },
    focus: () => view.focus(),
  };
}

window.nlpDawnEditor = { replace };
