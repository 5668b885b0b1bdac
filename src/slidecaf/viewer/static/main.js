// The page: a list, a stage and a panel, and the address that says what is open.
//
// #slide=ID opens a slide; &x=X&y=Y&w=WIDTH looks at a square of it, in pixels of level 0, and frames it.

import { explain, get, slidePath } from "./api.js";
import { byId } from "./dom.js";
import { listen } from "./keys.js";
import { SlideList } from "./list.js";
import { Panel } from "./panel.js";
import { Readout } from "./readout.js";
import { Stage } from "./stage.js";

function notice(text, kind = "") {
  byId("notice").textContent = text;
  byId("notice").className = kind;
  byId("notice").hidden = !text;
}

function about(slide, row) {
  const said = [`${slide.width.toLocaleString("en")} × ${slide.height.toLocaleString("en")} px`];
  if (slide.mpp) said.push(`${slide.mpp.toPrecision(3)} µm a px`);
  return [...said, row.split, row.label].filter(Boolean).join(" · ");
}

function address() {
  const said = new URLSearchParams(location.hash.slice(1));
  const [x, y, w] = ["x", "y", "w"].map((key) => (said.get(key) ? Number(said.get(key)) : NaN));
  return { slide: said.get("slide"), square: [x, y, w].every(Number.isFinite) && w > 0 ? [x, y, w] : null };
}

async function start() {
  const study = await get("/api/study");
  document.title = `${study.name}: slidecaf`;
  byId("study").textContent = `slidecaf: ${study.name}`;
  byId("banner").textContent = study.caveats.join("; ");
  byId("banner").hidden = !study.caveats.length;
  const rows = new Map(study.slides.map((row) => [row.slide, row]));
  const stage = new Stage();
  const panel = new Panel(study, stage, () => choose(byId("maps").value));
  const open = (slide) => (location.hash = new URLSearchParams({ slide }).toString());
  const list = new SlideList(study, open);
  const readout = new Readout(panel);

  // The list and the maps show the same method where they can.
  function choose(view) {
    byId("view").value = view;
    list.draw();
  }
  byId("view").addEventListener("change", () => panel.choose(byId("view").value));

  async function show() {
    const { slide: id, square } = address();
    if (!rows.has(id)) {
      if (id) return notice(`The study has no slide ${id}.`);
      return rows.size && open(list.shown[0].slide);
    }
    list.mark(id);
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
      byId("about").textContent = about(slide, rows.get(id));
      stage.open(slide);
      panel.open(slide);
      if (!square) stage.whole();
    }
    const now = address().square;
    if (now) stage.lookAt(...now);
    document.body.dataset.open = id;
  }

  async function copyLink() {
    if (!stage.slide) return;
    const { x, y, w } = stage.square();
    const link = new URL(location.href);
    link.hash = new URLSearchParams({ slide: stage.slide.slide, x, y, w }).toString();
    await navigator.clipboard.writeText(link.href).then(
      () => notice(`Copied: ${link.href}`, "said"),
      () => notice(`Copy this: ${link.href}`, "said"), // the browser did not allow it
    );
    setTimeout(() => byId("notice").classList.contains("said") && notice(""), 4000);
  }

  stage.addEventListener("point", ({ detail }) => readout.point(stage.slide, detail));
  stage.addEventListener("moved", ({ detail }) => readout.zoomed(detail.zoom));
  stage.addEventListener("failed", ({ detail }) => explain(detail).then(notice));
  addEventListener("hashchange", show);
  listen({ stage, panel, list, copyLink });
  await show();
}

start().catch((error) => notice(error.message));
