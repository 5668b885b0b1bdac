// A grid of the decisions of a method: chosen by class, verdict and split, sorted by how sure the method is.
//
// #grid=METHOD opens it; &label=, &predicted=, &verdict=, &split=, &text= and &order= say what it shows.

import { get, thumbnailPath } from "./api.js";
import { byId, element } from "./dom.js";
import { Scroller } from "./scroller.js";
import { words } from "./words.js";

const FILTERS = ["label", "predicted", "verdict", "split"];
const KEYS = [...FILTERS, "text", "order"];
const SPLITS = { cv: "cross-validation", test: "test", "": "in no split" };
const VERDICTS = { uncounted: "not counted" };
const SIZES = [116, 164, 244];
const TYPING = 200; // ms

const said = {
  label: (word) => word || "no label",
  predicted: (word) => word || "nothing",
  verdict: (word) => VERDICTS[word] ?? word,
  split: (word) => SPLITS[word] ?? word,
};

export class Grid {
  // `onState` is told the address of what is to be shown.
  constructor(study, onState) {
    this.methods = study.views.filter((view) => view.task === "classification").map((view) => view.method);
    this.onState = onState;
    this.state = new URLSearchParams({ grid: this.methods[0] ?? "" });
    this.found = null;
    this.slides = [];
    this.at = 0;
    this.size = 1;
    this.asked = 0;
    this.scroller = new Scroller(byId("cells"), {
      make: (slide, place) => this.#cell(slide, place),
      rest: load,
      drop: unload,
      width: SIZES[this.size],
    });
    const methods = this.methods.map((method) => element("option", { value: method, textContent: method }));
    byId("grid-method").replaceChildren(...methods);
    byId("grid-method").addEventListener("change", (event) => this.#go({ grid: event.target.value }));
    for (const name of FILTERS) {
      byId(`grid-${name}`).addEventListener("change", ({ target: { value } }) =>
        this.#go({ [name]: value === "" ? null : this.found.words[name][value] }),
      );
    }
    byId("grid-order").addEventListener("change", ({ target }) => this.#go({ order: target.value }));
    byId("grid-text").addEventListener("input", ({ target }) => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.#go({ text: target.value || null }), TYPING);
    });
    byId("grid-clear").addEventListener("click", () => this.clear());
    byId("grid-smaller").addEventListener("click", () => this.resize(-1));
    byId("grid-larger").addEventListener("click", () => this.resize(1));
  }

  get address() {
    return `#${this.state}`;
  }

  get method() {
    return this.state.get("grid");
  }

  // Show what an address says; stay where one was if nothing else is to be seen. `current` is the slide last looked at.
  async open(state, current) {
    const before = this.address, asked = ++this.asked;
    this.state = new URLSearchParams({ grid: state.get("grid") || this.methods[0] || "" });
    for (const key of KEYS) if (state.has(key)) this.state.set(key, state.get(key));
    const query = new URLSearchParams(this.state);
    query.delete("grid");
    let found;
    try {
      found = await get(`/api/decisions/${encodeURIComponent(this.method || "none")}?${query}`);
    } catch (error) {
      if (asked === this.asked) this.#fail(error.message);
      return;
    }
    if (asked !== this.asked) return; // something else was asked for meanwhile
    const same = before === this.address && String(found.rows.slide) === String(this.slides);
    this.found = found;
    this.slides = found.rows.slide;
    this.#controls();
    this.#say(this.slides.length ? "" : `No ${words.item} is like this.`);
    this.at = Math.max(0, this.slides.indexOf(current));
    if (!same) this.scroller.show(this.slides);
    else this.scroller.lay();
    if (this.slides.includes(current)) this.scroller.reveal(this.at);
    this.#mark();
  }

  // Go so many places across and rows down, and be there with the keyboard.
  move(across, down = 0) {
    this.#to(this.at + across + down * this.scroller.columns, Boolean(down));
  }

  page(by) {
    this.move(0, by * this.scroller.rows());
  }

  end(last) {
    this.#to(last ? this.slides.length - 1 : 0);
  }

  // Open the slide that the keyboard is at.
  enter() {
    if (this.slides.length) location.hash = slideAddress(this.slides[this.at]);
  }

  focus() {
    this.#to(this.at);
  }

  next() {
    const place = this.methods.indexOf(this.method);
    if (this.methods.length > 1) this.#go({ grid: this.methods[(place + 1) % this.methods.length] });
  }

  resize(by) {
    this.size = Math.max(0, Math.min(SIZES.length - 1, this.size + by));
    byId("grid-smaller").disabled = this.size === 0;
    byId("grid-larger").disabled = this.size === SIZES.length - 1;
    this.scroller.width = SIZES[this.size];
    this.scroller.lay();
    this.scroller.reveal(this.at);
  }

  clear() {
    byId("grid-text").value = "";
    this.#go(Object.fromEntries([...FILTERS, "text"].map((key) => [key, null])));
  }

  #go(change) {
    const state = new URLSearchParams(this.state);
    for (const [key, value] of Object.entries(change)) value === null ? state.delete(key) : state.set(key, value);
    this.onState(`#${state}`);
  }

  #to(place, stay = false) {
    if (!this.slides.length) return;
    // a step down from the last row but one goes to the last place; beyond the ends nothing moves
    const last = this.slides.length - 1, lastRow = Math.floor(last / this.scroller.columns);
    const here = Math.floor(this.at / this.scroller.columns);
    if (stay && ((place < 0 && here === 0) || (place > last && here === lastRow))) place = this.at;
    if (stay && place < 0) place = this.at % this.scroller.columns;
    this.at = Math.max(0, Math.min(last, place));
    this.scroller.reveal(this.at);
    this.#mark();
    this.scroller.nodes.get(this.at)?.focus({ preventScroll: true });
  }

  #mark() {
    for (const [place, node] of this.scroller.nodes) node.tabIndex = place === this.at ? 0 : -1;
  }

  #word(column, place) {
    return this.found.words[column][this.found.rows[column][place]];
  }

  #cell(slide, place) {
    const [label, predicted, verdict, split, status] = ["label", "predicted", "verdict", "split", "status"].map(
      (column) => this.#word(column, place),
    );
    const { confidence: confidences, sure } = this.found.rows, confidence = confidences[place];
    const two = this.found.classes.length === 2;
    const number = confidence === null ? "" : (two && confidence > 0 ? "+" : "") + confidence.toFixed(2);
    const lead = two || sure[place] === null ? "" : `+${sure[place].toFixed(2)}`;
    const guess = predicted ? said.predicted(predicted) : status;
    const picture = element("span", { className: "picture" }, element("img", { alt: "", draggable: false }));
    if (verdict === "wrong") picture.append(element("span", { className: "flag", textContent: "✗ wrong" }));
    const line = (kind, text, value) =>
      element("span", { className: kind }, element("span", { textContent: text }), element("i", { textContent: value }));
    const cell = element("a", { className: `cell is-${verdict}`, href: `#${slideAddress(slide)}` },
      element("span", { className: "frame" },
        picture,
        element("b", { textContent: slide }),
        line("truth", said.label(label), lead),
        line("guess", `→ ${guess}`, number),
      ));
    const about = [
      slide, `label: ${said.label(label)}`, `predicted: ${guess}`, said.verdict(verdict), said.split(split),
      number && `confidence ${number}`, lead && `ahead of the next class by ${sure[place].toFixed(2)}`,
    ];
    cell.title = about.filter(Boolean).join("\n");
    cell.setAttribute("aria-label", `${about.filter(Boolean).join(", ")}; ${place + 1} of ${this.slides.length}`);
    cell.tabIndex = place === this.at ? 0 : -1;
    cell.dataset.slide = slide;
    cell.addEventListener("focus", () => {
      this.at = place;
      this.#mark();
    });
    return cell;
  }

  #controls() {
    const { words: known, counts, rows, classes, all } = this.found;
    byId("grid-method").value = this.method;
    for (const name of FILTERS) {
      const own = known[name].map((word, code) => ({ word, code, count: counts[name][code] }));
      const listed = own.filter(({ word, count }) => count || classes.includes(word) || this.state.get(name) === word);
      const select = byId(`grid-${name}`);
      select.replaceChildren(
        element("option", { value: "", textContent: "all" }),
        ...listed.map(({ word, code, count }) =>
          element("option", { value: code, textContent: `${said[name](word)} (${count.toLocaleString("en")})` }),
        ),
      );
      select.value = this.state.has(name) ? known[name].indexOf(this.state.get(name)) : "";
      select.parentElement.classList.toggle("set", this.state.has(name));
    }
    byId("grid-order").value = this.state.get("order") ?? "name";
    if (document.activeElement !== byId("grid-text")) byId("grid-text").value = this.state.get("text") ?? "";
    byId("grid-clear").disabled = ![...FILTERS, "text"].some((key) => this.state.has(key));
    const n = rows.slide.length, whole = `${all.toLocaleString("en")} ${words.items}`;
    this.title = n === all ? whole : `${n.toLocaleString("en")} of ${whole}`;
    const verdicts = known.verdict.map((word, code) => [word, rows.verdict.filter((own) => own === code).length]);
    this.about = verdicts.filter(([, count]) => count)
      .map(([word, count]) => `${count.toLocaleString("en")} ${said.verdict(word)}`).join(" · ");
    byId("grid-meaning").textContent = classes.length === 2
      ? `The number is the confidence, above 0 for ${classes[1]}.`
      : "Upper number: lead over the next class; lower: confidence.";
  }

  #say(text) {
    byId("grid-notice").textContent = text;
    byId("grid-notice").hidden = !text;
  }

  #fail(message) {
    this.found = null;
    this.slides = [];
    this.title = this.method;
    this.about = "";
    this.scroller.show([]);
    byId("grid-method").value = this.method;
    byId("grid-clear").disabled = false;
    this.#say(message);
  }
}

const slideAddress = (slide) => new URLSearchParams({ slide }).toString();

// Ask for the pictures of cells.
function load(cells) {
  for (const cell of cells) {
    const picture = cell.querySelector("img");
    if (!picture || picture.hasAttribute("src")) continue; // it cannot be shown, or is there
    picture.addEventListener("error", () => {
      if (picture.isConnected) picture.replaceWith(element("em", { textContent: "cannot be shown" }));
    });
    picture.src = thumbnailPath(cell.dataset.slide);
  }
}

// A picture that nobody waits for any more is not asked for.
function unload(cell) {
  const picture = cell.querySelector("img");
  if (picture && !picture.complete) picture.removeAttribute("src");
}
