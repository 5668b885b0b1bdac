// A long list of which only what is seen is in the document. All its places have one size, in rows of one or more.

const BEYOND = 2; // rows above and below what is seen
const REST = 120; // ms without a movement after which what is seen is worth loading

export class Scroller {
  // `make` turns an item and its place into an element; `rest` is handed the elements when scrolling rests, and `drop`
  // each that leaves. `width` is the least width of a place; without it a row has one.
  constructor(box, { make, rest = () => {}, drop = () => {}, width = 0 }) {
    Object.assign(this, { box, make, rest, drop, width });
    this.canvas = box.firstElementChild;
    this.items = [];
    this.nodes = new Map();
    this.columns = 1;
    this.height = this.wanted = null;
    box.addEventListener("scroll", () => this.#soon());
    new ResizeObserver(() => this.#resized()).observe(box);
  }

  show(items) {
    this.items = items;
    this.box.scrollTop = 0;
    this.lay();
  }

  // Measure a place, and draw all anew; what is seen, and where the keyboard is, stay.
  lay() {
    const [held] = [...this.nodes].find(([, node]) => node.contains(document.activeElement)) ?? [];
    const first = this.height ? (this.box.scrollTop / this.height) * this.columns : 0;
    const across = this.canvas.clientWidth;
    for (const node of this.nodes.values()) this.#remove(node);
    this.nodes.clear();
    this.columns = Math.max(1, this.width ? Math.floor(across / this.width) : 1);
    this.share = across / this.columns;
    const probe = this.items.length && across ? this.make(this.items[0], 0) : null;
    if (probe) {
      probe.style.width = `${this.share}px`;
      this.canvas.append(probe);
      this.height = probe.getBoundingClientRect().height;
      probe.remove();
    }
    this.canvas.style.height = `${(this.height ?? 0) * Math.ceil(this.items.length / this.columns)}px`;
    this.box.scrollTop = (first / this.columns) * (this.height ?? 0);
    if (this.wanted !== null) this.reveal(this.wanted);
    this.draw();
    this.rest(this.#inOrder());
    const node = this.nodes.get(held);
    (node?.matches("a, button") ? node : node?.querySelector("a, button"))?.focus({ preventScroll: true });
  }

  // Rows that fit into what is seen.
  rows() {
    return Math.max(1, Math.floor(this.box.clientHeight / this.height));
  }

  // Scroll as little as it takes to see a place.
  reveal(place) {
    this.wanted = this.height && this.box.clientHeight ? null : place;
    if (this.wanted !== null) return;
    const top = Math.floor(place / this.columns) * this.height, bottom = top + this.height - this.box.clientHeight;
    if (this.box.scrollTop > top) this.box.scrollTop = top;
    else if (this.box.scrollTop < bottom) this.box.scrollTop = bottom;
    this.draw();
    this.#soon();
  }

  draw() {
    if (!this.height || !this.box.clientHeight) return;
    const { scrollTop, clientHeight } = this.box, { columns, height } = this;
    const first = Math.max(0, Math.floor(scrollTop / height) - BEYOND) * columns;
    const last = Math.min(this.items.length, (Math.ceil((scrollTop + clientHeight) / height) + BEYOND) * columns);
    for (const [place, node] of this.nodes) {
      if ((place >= first && place < last) || node.contains(document.activeElement)) continue;
      this.#remove(node);
      this.nodes.delete(place);
    }
    // from the last to the first, so that they stand in the document as they are seen
    let next = null;
    for (let place = last - 1; place >= first; place--) {
      if (!this.nodes.has(place)) this.nodes.set(place, this.#put(place, next));
      next = this.nodes.get(place);
    }
  }

  #put(place, next) {
    const node = this.make(this.items[place], place), { style } = node;
    style.position = "absolute";
    style.width = `${this.share}px`;
    style.left = `${(place % this.columns) * this.share}px`;
    style.top = `${Math.floor(place / this.columns) * this.height}px`;
    this.canvas.insertBefore(node, next);
    return node;
  }

  #resized() {
    if (this.canvas.clientWidth !== this.share * this.columns || !this.height) return this.lay();
    this.#soon();
  }

  #inOrder() {
    return [...this.nodes].sort(([a], [b]) => a - b).map(([, node]) => node);
  }

  #remove(node) {
    this.drop(node);
    node.remove();
  }

  #soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.rest(this.#inOrder()), REST);
  }
}
