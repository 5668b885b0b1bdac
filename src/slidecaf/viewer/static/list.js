// The list of slides, with what a method says of each.

import { byId, element, options } from "./dom.js";
import { Scroller } from "./scroller.js";
import { words } from "./words.js";

const name = (view) =>
  view.task === "classification" ? `diagnosis, ${view.method}` : `necrosis, ${view.method}, ${view.variant}`;

export class SlideList {
  constructor(study, onOpen) {
    this.study = study;
    this.onOpen = onOpen;
    this.current = null;
    this.followed = [];
    this.rows = new Map(study.slides.map((row) => [row.slide, row]));
    this.texts = new Map(study.slides.map((row) => [row.slide, text(row)]));
    this.scroller = new Scroller(byId("slides"), { make: (slide) => this.#item(slide, this.view()) });
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
    for (const node of this.scroller.nodes.values()) {
      const button = node.firstElementChild;
      button.setAttribute("aria-current", button.dataset.slide === slide);
    }
    const place = this.shown.findIndex((row) => row.slide === slide);
    if (place >= 0) this.scroller.reveal(place);
  }

  // Open the slide that is so many places from the one that is open.
  step(by) {
    const place = this.shown.findIndex((slide) => slide.slide === this.current);
    const next = this.shown[place < 0 ? 0 : place + by];
    if (next) this.onOpen(next.slide);
  }

  // List the slides that the grid chose, in its order.
  follow(slides) {
    this.followed = slides.filter((slide) => this.rows.has(slide));
    const choice = byId("order").querySelector("[value=grid]");
    choice.hidden = choice.disabled = false;
    byId("order").value = "grid";
    byId("filter").value = "";
    this.draw();
  }

  draw() {
    const view = this.view(), wanted = byId("filter").value.toLowerCase(), order = byId("order").value;
    const listed = order === "grid" ? this.followed.map((slide) => this.rows.get(slide)) : this.study.slides;
    this.shown = listed.filter((slide) => this.texts.get(slide.slide).includes(wanted));
    if (order === "worst" || order === "best") this.shown = sorted(this.shown, view, order === "worst" ? 1 : -1);
    const known = this.study.slides.length, n = this.shown.length;
    const all = `${known.toLocaleString("en")} ${known === 1 ? words.item : words.items}`;
    byId("count").textContent = n === known ? all : `${n.toLocaleString("en")} of ${all}`;
    this.scroller.show(this.shown);
    this.mark(this.current);
  }

  #item(slide, view) {
    const result = view && slide.results[view.id], button = element("button", { type: "button" });
    button.dataset.slide = slide.slide;
    button.setAttribute("aria-current", slide.slide === this.current);
    button.append(element("span", { className: "id", textContent: slide.slide }), value(result, view));
    if (view?.task === "segmentation") button.append(meter(result));
    const status = result && result.status !== "ok" ? result.status : null;
    const details = [slide.label, result ? status : "no result", slide.split, `${this.study.group} ${slide.patient}`];
    button.append(element("span", { className: "detail", textContent: details.filter(Boolean).join(" · ") }));
    // what is cut off, and further columns of the sheet
    const more = Object.entries(slide.more).map(([column, text]) => `${column}: ${text}`);
    button.title = [slide.slide, details.filter(Boolean).join(" · "), ...more].join("\n");
    button.addEventListener("click", () => this.onOpen(slide.slide));
    return element("li", {}, button);
  }
}

// What a slide is found by.
function text({ slide, patient, split, label, more }) {
  return [slide, patient, split, label, ...Object.values(more)].join(" ").toLowerCase();
}

// Sort by what a view says; what has no score stands at the end.
function sorted(slides, view, sign) {
  const ranks = new Map(slides.map((slide) => [slide, goodness(slide, view)]));
  const known = slides.filter((slide) => ranks.get(slide) !== null);
  known.sort((a, b) => sign * (ranks.get(a) - ranks.get(b)));
  return [...known, ...slides.filter((slide) => ranks.get(slide) === null)];
}

// The larger, the better; null where nothing is known.
function goodness(slide, view) {
  const result = view && slide.results[view.id];
  if (!result || result.value === null) return null;
  if (view.task === "segmentation") return result.value;
  return result.right === "" ? null : (result.right ? 1 : -1) * Math.abs(result.value);
}

function meter(result) {
  const filled = element("i");
  filled.style.width = `${100 * (result?.value ?? 0)}%`;
  return element("span", { className: "meter" }, filled);
}

function value(result, view) {
  // a decision has a line of its own: names of classes are long
  if (!result) return element("span", { className: view?.task === "classification" ? "value decision" : "value" });
  if (view.task === "segmentation") {
    return element("span", { className: "value", textContent: result.value === null ? "" : `S ${result.value.toFixed(3)}` });
  }
  const verdict = result.right === "" ? "" : result.right ? "right" : "wrong";
  const said = [result.predicted, result.value === null ? "" : result.value.toFixed(2), verdict].filter(Boolean).join(" ");
  return element("span", { className: `value decision ${verdict}`, textContent: said });
}
