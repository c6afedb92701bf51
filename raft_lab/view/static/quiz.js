// @ts-check
// A prediction question: radio buttons, and an explanation for the answer that was chosen.

/** @typedef {{text: string, right: boolean, because: string, runs?: boolean}} Answer */

/**
 * @param {{model: any, el: HTMLElement}} context
 */
function renderQuiz({ model, el }) {
  const root = document.createElement("fieldset");
  root.className = "raft-quiz";
  const name = `quiz-${Math.random().toString(36).slice(2)}`;

  const legend = document.createElement("legend");
  const tag = document.createElement("span");
  tag.className = "rq-tag";
  tag.textContent = "Predict";
  legend.append(tag, document.createTextNode(model.get("question")));
  root.append(legend);

  /** @type {Answer[]} */
  const answers = model.get("answers");
  const rows = answers.map((answer, number) => {
    const row = document.createElement("label");
    const input = document.createElement("input");
    input.type = "radio";
    input.name = name;
    input.addEventListener("change", () => {
      model.set("chosen", number);
      model.save_changes();
    });
    const words = document.createElement("span");
    words.textContent = answer.text;
    const mark = document.createElement("span");
    mark.className = "rq-mark";
    row.append(input, words, mark);
    root.append(row);
    return { row, input, mark };
  });

  const feedback = document.createElement("div");
  feedback.className = "rq-feedback";
  const because = document.createElement("output");
  because.setAttribute("aria-live", "polite");
  const run = document.createElement("button");
  run.type = "button";
  run.className = "rq-run";
  run.textContent = "See it happen";
  const said = document.createElement("span");
  said.className = "rq-said";
  said.setAttribute("role", "status");
  run.addEventListener("click", () => {
    said.textContent = "";
    try {
      model.send({ do: "run", answer: model.get("chosen") });
    } catch {
      said.textContent = "There is no kernel: run this cell first.";
    }
  });
  feedback.append(because, run, said);
  root.append(feedback);

  function show() {
    const chosen = model.get("chosen");
    rows.forEach(({ row, input, mark }, number) => {
      const here = number === chosen;
      input.checked = here;
      row.classList.toggle("rq-chosen", here);
      row.classList.toggle("rq-right", here && answers[number].right);
      mark.textContent = here ? (answers[number].right ? "✓" : "✗") : "";
    });
    const answer = answers[chosen];
    feedback.hidden = !answer;
    because.textContent = answer ? `${answer.right ? "Right." : "Not quite."} ${answer.because}` : "";
    run.hidden = !answer?.runs;
    said.textContent = "";
    feedback.classList.toggle("rq-right", Boolean(answer && answer.right));
  }

  // JupyterLab's own keys must not act while someone answers.
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Tab" && event.key !== "Escape") event.stopPropagation();
  });
  /** @param {{type: string, text: string}} content */
  const hear = (content) => {
    if (content.type === "said") said.textContent = content.text;
  };
  model.on("change:chosen", show);
  model.on("msg:custom", hear);
  show();
  el.append(root);
  return () => {
    model.off("change:chosen", show);
    model.off("msg:custom", hear);
  };
}

export default { render: renderQuiz };
