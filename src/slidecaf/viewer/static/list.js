// The list of slides, with what a method says of each.

import { byId, element, options } from "./dom.js";

const name = (view) =>
  view.task === "classification" ? `diagnosis, ${view.method}` : `necrosis, ${view.method}, ${view.variant}`;

export class SlideList {
  constructor(study, onOpen) {
    this.study = study;
    this.onOpen = onOpen;
    this.current = null;
    const views = new Map(study.views.map((view) => [view.id, view]));
    options(byId("view"), [...views.keys()], (id) => name(views.get(id)));
    for (const id of ["view", "order"]) byId(id).addEventListener("change", () => this.draw());
    byId("filter").addEventListener("input", () => this.draw());
    this.draw();
  }

  view() {
    return this.study.views.find((view) => view.id === byId("view").value);
  }

  // Mark the slide that is open.
  mark(slide) {
    this.current = slide;
    for (const button of byId("slides").querySelectorAll("button")) {
      const here = button.dataset.slide === slide;
      button.setAttribute("aria-current", here);
      if (here) button.scrollIntoView({ block: "nearest" });
    }
  }

  // Open the slide that is so many places from the one that is open.
  step(by) {
    const place = this.shown.findIndex((slide) => slide.slide === this.current);
    const next = this.shown[place < 0 ? 0 : place + by];
    if (next) this.onOpen(next.slide);
  }

  draw() {
    const view = this.view(), wanted = byId("filter").value.toLowerCase(), order = byId("order").value;
    const text = (slide) => [slide.slide, slide.patient, slide.split, slide.label, ...Object.values(slide.more)].join(" ").toLowerCase();
    this.shown = this.study.slides.filter((slide) => text(slide).includes(wanted));
    if (order !== "name") {
      const sign = order === "worst" ? 1 : -1;
      // what has no score stands at the end
      const rank = (slide) => goodness(slide, view);
      const known = this.shown.filter((slide) => rank(slide) !== null);
      known.sort((a, b) => sign * (rank(a) - rank(b)));
      this.shown = [...known, ...this.shown.filter((slide) => rank(slide) === null)];
    }
    const all = this.study.slides.length;
    byId("count").textContent = this.shown.length === all ? `${all} slides` : `${this.shown.length} of ${all} slides`;
    byId("slides").replaceChildren(...this.shown.map((slide) => this.#item(slide, view)));
    this.mark(this.current);
  }

  #item(slide, view) {
    const result = view && slide.results[view.id], button = element("button", { type: "button" });
    button.dataset.slide = slide.slide;
    button.append(element("span", { className: "id", textContent: slide.slide }), value(result, view));
    if (result && view.task === "segmentation" && result.value !== null) {
      const filled = element("i");
      filled.style.width = `${100 * result.value}%`;
      button.append(element("span", { className: "meter" }, filled));
    }
    const status = result && result.status !== "ok" ? result.status : null;
    const details = [`${this.study.group} ${slide.patient}`, slide.split, slide.label, result ? status : "no result"];
    button.append(element("span", { className: "detail", textContent: details.filter(Boolean).join(" · ") }));
    // further columns of the sheet
    button.title = Object.entries(slide.more).map(([column, text]) => `${column}: ${text}`).join("\n");
    button.addEventListener("click", () => this.onOpen(slide.slide));
    return element("li", {}, button);
  }
}

// The larger, the better; null where nothing is known.
function goodness(slide, view) {
  const result = view && slide.results[view.id];
  if (!result || result.value === null) return null;
  if (view.task === "segmentation") return result.value;
  return result.right === "" ? null : (result.right ? 1 : -1) * Math.abs(result.value);
}

function value(result, view) {
  if (!result) return element("span", { className: "value" });
  if (view.task === "segmentation") {
    return element("span", { className: "value", textContent: result.value === null ? "" : `S ${result.value.toFixed(3)}` });
  }
  const verdict = result.right === "" ? "" : result.right ? "right" : "wrong";
  const said = [result.predicted, result.value === null ? "" : result.value.toFixed(2), verdict].filter(Boolean).join(" ");
  return element("span", { className: `value ${verdict}`, textContent: said });
}
