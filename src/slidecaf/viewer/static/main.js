// The page: a list, a stage and a panel, or a grid over them, and the address that says what is open.
//
// #slide=ID opens a slide; &x=X&y=Y&w=WIDTH looks at a square of it, in pixels of level 0, and frames it.
// #grid=METHOD opens the grid of decisions (see grid.js).

import { explain, get, slidePath } from "./api.js";
import { byId } from "./dom.js";
import { Grid } from "./grid.js";
import { listen } from "./keys.js";
import { SlideList } from "./list.js";
import { Panel } from "./panel.js";
import { Readout } from "./readout.js";
import { Stage } from "./stage.js";
import { call, words } from "./words.js";

const SAID = 4000; // ms for which something is said by the way

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function say(text) {
  byId("said").textContent = text;
  byId("said").hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (byId("said").hidden = true), SAID);
}

function about(slide, row) {
  const said = [`${slide.width.toLocaleString("en")} × ${slide.height.toLocaleString("en")} px`];
  if (slide.mpp) said.push(`${slide.mpp.toPrecision(3)} µm a px`);
  return [...said, row.split, row.label].filter(Boolean).join(" · ");
}

function address() {
  const said = new URLSearchParams(location.hash.slice(1));
  const [x, y, w] = ["x", "y", "w"].map((key) => (said.get(key) ? Number(said.get(key)) : NaN));
  const square = [x, y, w].every(Number.isFinite) && w > 0 ? [x, y, w] : null;
  return { slide: said.get("slide"), square, grid: said.has("grid") ? said : null };
}

function head(title, text) {
  byId("title").textContent = title;
  byId("about").textContent = text;
}

// Lay the grid over the view of a slide, or take it away.
function setMode(mode) {
  document.body.dataset.mode = mode;
  byId("grid").hidden = mode !== "grid";
  for (const part of document.querySelectorAll("main > nav, #stage, main > aside")) part.inert = mode === "grid";
  byId("to-grid").setAttribute("aria-current", mode === "grid");
  byId("to-slide").setAttribute("aria-current", mode === "slide");
}

async function start() {
  const study = await get("/api/study");
  call(study.item);
  document.title = `${study.name}: slidecaf`;
  byId("study").textContent = `slidecaf: ${study.name}`;
  byId("banner").textContent = study.caveats.join("; ");
  byId("banner").hidden = !study.caveats.length;
  setMode("slide");
  const rows = new Map(study.slides.map((row) => [row.slide, row]));
  const stage = new Stage();
  const panel = new Panel(study, stage, () => choose(byId("maps").value));
  const open = (slide) => (location.hash = new URLSearchParams({ slide }).toString());
  const list = new SlideList(study, open);
  const readout = new Readout(panel);
  const grid = new Grid(study, (state) => location.replace(state));
  byId("to-grid").parentElement.hidden = !grid.methods.length;

  // The list and the maps show the same method where they can.
  function choose(view) {
    byId("view").value = view;
    list.draw();
  }
  byId("view").addEventListener("change", () => panel.choose(byId("view").value));

  async function showGrid(said) {
    setMode("grid");
    await grid.open(said, list.current);
    if (!address().grid) return;
    head(grid.title ?? "", grid.about ?? "");
    byId("to-grid").href = grid.address;
    document.body.dataset.open = "grid";
  }

  // After the grid the list has what the grid had.
  function leaveGrid(id) {
    if (document.body.dataset.mode === "grid" && grid.slides.includes(id)) {
      choose(`classification/${grid.method}`);
      panel.choose(byId("view").value);
      list.follow(grid.slides);
    }
    setMode("slide");
  }

  async function show() {
    const { slide: id, square, grid: said } = address();
    if (said) return showGrid(said);
    if (!rows.has(id)) {
      setMode("slide");
      if (id) return notice(`The study has no ${words.item} ${id}.`);
      return rows.size && open(list.current ?? list.shown[0].slide);
    }
    leaveGrid(id);
    list.mark(id);
    byId("to-slide").href = location.hash;
    byId("title").textContent = id;
    if (stage.slide?.slide !== id) {
      notice("");
      byId("about").textContent = "";
      stage.close();
      panel.close();
      let slide;
      try {
        slide = await get(slidePath(id));
      } catch (error) {
        if (address().slide !== id) return;
        document.body.dataset.open = id;
        return notice(error.message);
      }
      if (address().slide !== id) return; // another one was asked for meanwhile
      stage.open(slide);
      panel.open(slide);
      if (!square) stage.whole();
    }
    head(id, about(stage.slide, rows.get(id)));
    const now = address().square;
    if (now) stage.lookAt(...now);
    document.body.dataset.open = id;
  }

  async function copyLink() {
    const link = new URL(location.href);
    if (!address().grid) {
      if (!stage.slide) return;
      const { x, y, w } = stage.square();
      link.hash = new URLSearchParams({ slide: stage.slide.slide, x, y, w }).toString();
    }
    await navigator.clipboard.writeText(link.href).then(
      () => say(`Copied: ${link.href}`),
      () => say(`Copy this: ${link.href}`), // the browser did not allow it
    );
  }

  // From the grid to the slide that was open, and back.
  function change() {
    if (address().grid) byId("to-slide").click();
    else if (grid.methods.length) byId("to-grid").click();
  }

  stage.addEventListener("point", ({ detail }) => readout.point(stage.slide, detail));
  stage.addEventListener("moved", ({ detail }) => readout.zoomed(detail.zoom));
  stage.addEventListener("failed", ({ detail }) => explain(detail).then(notice));
  addEventListener("hashchange", show);
  listen({ stage, panel, list, grid, copyLink, change });
  await show();
}

start().catch((error) => notice(error.message));
