"use strict";
(function () {
  const root = document.documentElement;
  window.addEventListener("error", (event) => {
    root.dataset.errors = (root.dataset.errors || "") + event.message + "; ";
  });
  const data = JSON.parse(document.getElementById("akg-data").textContent);
  const NS = "http://www.w3.org/2000/svg";
  const KINDS = ["flow", "anti", "output", "reduction"];
  const COLOURS = 6;
  const MOST_TOGETHER = 6; // statements that one picture shows at first
  const state = { hidden: new Set(), loop: 0, step: data.picture ? data.picture.steps : 0 };
  const panels = [];

  function element(name, attributes, parent, text) {
    const made = document.createElement(name);
    for (const key in attributes || {}) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.appendChild(made);
    return made;
  }
  function shape(name, attributes, parent, text) {
    const made = document.createElementNS(NS, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    parent.appendChild(made);
    return made;
  }

  // --- geometry ---------------------------------------------------------------------------------------------
  function hull(points) {
    points.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const turn = (o, a, b) => (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
    const half = (list) => {
      const kept = [];
      for (const p of list) {
        while (kept.length > 1 && turn(kept[kept.length - 2], kept[kept.length - 1], p) <= 0) kept.pop();
        kept.push(p);
      }
      kept.pop();
      return kept;
    };
    return half(points).concat(half(points.slice().reverse()));
  }
  function outline(centres, radius) {
    const around = [];
    for (const [x, y] of centres)
      for (let k = 0; k < 12; k++)
        around.push([x + radius * Math.cos((k * Math.PI) / 6), y + radius * Math.sin((k * Math.PI) / 6)]);
    return hull(around);
  }

  // --- one picture: some statements in one space ---------------------------------------------------------------
  class Panel {
    constructor(host, title, source, statements, axes, coordinates) {
      Object.assign(this, { statements, axes, coordinates, all: statements });
      if (statements.length > MOST_TOGETHER) this.statements = statements.slice(0, MOST_TOGETHER);
      this.card = element("div", { class: "panel" }, host);
      element("h3", {}, this.card, title);
      if (source) element("code", { class: "source", title: source }, this.card, source);
      const used = axes.map((_, k) => k).filter((k) => this.varies(k));
      const spare = used.length ? used : axes.map((_, k) => k);
      // the two innermost of the dimensions that most statements have
      const sharing = (k) => statements.filter((s) => data.picture.statements[s].points.some((p) => coordinates(p)[k] !== undefined)).length;
      const best = spare.slice().sort((a, b) => sharing(b) - sharing(a) || b - a).slice(0, 2).sort((a, b) => b - a);
      this.x = best.length ? best[0] : -1;
      this.y = best.length > 1 ? best[1] : -1;
      const bar = element("div", { class: "axes" }, this.card);
      if (axes.length > 1) {
        this.choice(bar, "across", "x", false);
        this.choice(bar, "up", "y", true);
      }
      this.svg = document.createElementNS(NS, "svg");
      this.svg.setAttribute("role", "img");
      this.svg.setAttribute("aria-label", title);
      this.card.appendChild(this.svg);
      this.caption = element("p", { class: "caption" }, this.card);
      this.draw();
    }
    varies(k) {
      const seen = new Set();
      for (const s of this.statements)
        for (const p of data.picture.statements[s].points) seen.add(this.coordinates(p)[k]);
      return seen.size > 1;
    }
    choice(bar, label, key, optional) {
      const holder = element("label", {}, bar, label + " ");
      const select = element("select", { "data-axis": key }, holder);
      if (optional) element("option", { value: -1 }, select, "nothing (1-d)");
      this.axes.forEach((name, k) => element("option", { value: k }, select, name));
      select.value = this[key];
      select.addEventListener("change", () => {
        this[key] = Number(select.value);
        this.draw();
        refresh();
      });
    }
    place(s, p) {
      const at = this.coordinates(p);
      const others = this.statements.length - 1;
      const shift = others ? (this.statements.indexOf(s) - others / 2) * Math.min(0.24, 0.6 / others) : 0;
      const value = (k) => (k < 0 ? 0 : at[k] === undefined ? 0 : at[k]);
      return [value(this.x) + shift, value(this.y) + (this.y < 0 ? 0 : shift * 0.6)];
    }
    draw() {
      const svg = this.svg;
      svg.replaceChildren();
      const dots = new Map(); // statement, place -> points of the statement that are drawn there
      let low = [Infinity, Infinity], high = [-Infinity, -Infinity];
      for (const s of this.statements)
        data.picture.statements[s].points.forEach((p, n) => {
          const at = this.place(s, p);
          for (const d of [0, 1]) {
            low[d] = Math.min(low[d], Math.round(at[d]));
            high[d] = Math.max(high[d], Math.round(at[d]));
          }
          const key = s + ":" + at;
          if (!dots.has(key)) dots.set(key, { s, at, points: [] });
          dots.get(key).points.push(n);
        });
      if (!dots.size) {
        svg.remove();
        this.caption.textContent = "no instances at these sizes";
        return;
      }
      const flat = this.y < 0;
      const width = high[0] - low[0] + 1, height = flat ? 1 : high[1] - low[1] + 1;
      const joint = this.all.length > 1;
      const unit = Math.max(15, Math.min(44, (joint ? 700 : 400) / width, 400 / height));
      this.card.classList.toggle("wide", joint && width * unit > 400);
      let reach = 0; // of the widest arc over a line of points
      if (flat)
        for (const [, s, p, t, q] of data.picture.arrows)
          if (this.statements.includes(s) && this.statements.includes(t)) {
            const from = this.place(s, data.picture.statements[s].points[p]), to = this.place(t, data.picture.statements[t].points[q]);
            reach = Math.max(reach, Math.abs(to[0] - from[0]));
          }
      const left = 34, bottom = 34, top = (flat ? 14 : 26) + reach * unit * 0.25;
      const w = left + width * unit + 14, h = top + height * unit + bottom;
      this.unit = unit;
      this.at = ([x, y]) => [left + (x - low[0] + 0.5) * unit, top + (high[1] - (flat ? high[1] : y) + 0.5) * unit];
      svg.setAttribute("viewBox", `0 0 ${w} ${h}`);
      svg.style.maxWidth = w * 1.35 + "px";
      this.frame(svg, low, high, unit, w, h, flat);
      this.tiles(svg, flat);
      this.arrows(svg, flat);
      this.points(svg, dots, unit);
    }
    frame(svg, low, high, unit, w, h, flat) {
      const id = "a" + panels.length + Math.random().toString(36).slice(2, 7);
      this.id = id;
      const defs = shape("defs", {}, svg);
      for (const kind of KINDS) {
        const marker = shape("marker", { id: id + kind, class: kind, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse", markerUnits: "userSpaceOnUse" }, defs);
        shape("path", { d: "M0 0.6 L8 4 L0 7.4 z" }, marker);
      }
      const [x0, y0] = this.at(low), [x1, y1] = this.at(high), edge = unit / 2;
      const every = Math.ceil(22 / unit);
      for (let v = low[0]; v <= high[0]; v++) {
        const x = this.at([v, low[1]])[0];
        shape("line", { class: "grid", x1: x, x2: x, y1: y1 - edge, y2: y0 + edge }, svg);
        if ((v - low[0]) % every === 0) shape("text", { x, y: y0 + edge + 14, "text-anchor": "middle" }, svg, v);
      }
      if (!flat)
        for (let v = low[1]; v <= high[1]; v++) {
          const y = this.at([low[0], v])[1];
          shape("line", { class: "grid", x1: x0 - edge, x2: x1 + edge, y1: y, y2: y }, svg);
          if ((v - low[1]) % every === 0) shape("text", { x: x0 - edge - 5, y: y + 4, "text-anchor": "end" }, svg, v);
        }
      shape("line", { class: "axis", x1: x0 - edge, x2: x1 + edge, y1: y0 + edge, y2: y0 + edge }, svg);
      if (!flat) shape("line", { class: "axis", x1: x0 - edge, x2: x0 - edge, y1: y1 - edge, y2: y0 + edge }, svg);
      if (this.x >= 0) shape("text", { class: "name", x: x1 + edge, y: y0 + edge + 29, "text-anchor": "end" }, svg, this.axes[this.x] + " →");
      if (!flat) shape("text", { class: "name", x: 2, y: 11 }, svg, "↑ " + this.axes[this.y]);
    }
    tiles(svg, flat) {
      const groups = new Map();
      for (const s of this.statements)
        for (const p of data.picture.statements[s].points) {
          if (p[4] < 0) continue;
          if (!groups.has(p[4])) groups.set(p[4], new Map());
          const at = this.at(this.place(s, p));
          groups.get(p[4]).set(String(at), at);
        }
      const names = new Map();
      for (const [tile, places] of groups) {
        const wave = data.picture.waves[tile], hue = (wave * 67 + 205) % 360;
        const corners = outline([...places.values()], this.unit * 0.36);
        const colour = `hsl(${hue} 60% var(--tile-l))`;
        shape("polygon", { class: "tile", points: corners.map((c) => c.map((v) => v.toFixed(1)).join()).join(" "), style: `stroke: ${colour}; fill: ${colour}; fill-opacity: .13`, "data-wave": wave }, svg);
        const corner = corners.reduce((a, b) => (b[1] - b[0] * 0.01 < a[1] - a[0] * 0.01 ? b : a));
        const key = Math.round(corner[0] / 9) + ":" + Math.round(corner[1] / 9);
        names.set(key, (names.get(key) || []).concat([[wave, corner]]));
      }
      for (const found of names.values()) {
        const waves = [...new Set(found.map((f) => f[0] + 1))];
        const text = waves.length > 2 ? waves[0] + "…" + waves[waves.length - 1] : waves.join();
        shape("text", { class: "tile-name", x: found[0][1][0] + 2, y: found[0][1][1] - 2 }, svg, text);
      }
    }
    arrows(svg, flat) {
      const seen = new Map();
      this.along = 0;
      this.outside = 0;
      for (const [kind, s, p, t, q, loop, buffer] of data.picture.arrows) {
        if (!this.statements.includes(s) || !this.statements.includes(t)) continue;
        const from = this.place(s, data.picture.statements[s].points[p]);
        const to = this.place(t, data.picture.statements[t].points[q]);
        if (from[0] === to[0] && from[1] === to[1]) {
          this.along += 1;
          continue;
        }
        const key = [kind, loop, from, to].join();
        if (seen.has(key)) {
          seen.get(key).push([s, p, t, q, buffer]);
          continue;
        }
        seen.set(key, [[s, p, t, q, buffer]]);
        const [x1, y1] = this.at(from), [x2, y2] = this.at(to);
        const dx = x2 - x1, dy = y2 - y1, length = Math.hypot(dx, dy);
        const gap = Math.min(7, length / 3), bend = flat ? 0.45 : length > this.unit * 1.1 ? 0.14 : 0.05;
        const [mx, my] = [(x1 + x2) / 2 + dy * bend, (y1 + y2) / 2 - Math.abs(flat ? dx : 0) * bend - (flat ? 0 : dx * bend)];
        const shorten = (ax, ay, bx, by) => {
          const l = Math.hypot(bx - ax, by - ay) || 1;
          return [ax + ((bx - ax) * gap) / l, ay + ((by - ay) * gap) / l];
        };
        const [sx, sy] = shorten(x1, y1, mx, my), [ex, ey] = shorten(x2, y2, mx, my);
        const path = `M${sx.toFixed(1)} ${sy.toFixed(1)} Q${mx.toFixed(1)} ${my.toFixed(1)} ${ex.toFixed(1)} ${ey.toFixed(1)}`;
        const made = shape("path", { class: "arrow " + kind, d: path, "data-kind": kind, "data-loop": loop, "marker-end": `url(#${this.id}${kind})` }, svg);
        made.pairs = seen.get(key);
      }
    }
    points(svg, dots, unit) {
      const radius = Math.max(3.2, Math.min(6, unit * 0.16));
      for (const { s, at, points } of dots.values()) {
        const [cx, cy] = this.at(at);
        const dot = shape("circle", { class: "point", cx: cx.toFixed(1), cy: cy.toFixed(1), r: radius, style: `fill: var(--s${s % COLOURS})` }, svg);
        dot.owner = [s, points];
        dot.addEventListener("pointerenter", (event) => this.hover(event, s, points));
        dot.addEventListener("pointermove", moveTip);
        dot.addEventListener("pointerleave", () => {
          tip.hidden = true;
          this.svg.querySelectorAll(".arrow.dim").forEach((a) => a.classList.remove("dim"));
        });
      }
    }
    hover(event, s, points) {
      const drawn = data.picture.statements[s], own = new Set(points);
      const lines = points.slice(0, 4).map((n) => {
        const p = drawn.points[n], values = drawn.iterators.map((v, k) => `${v}=${p[0][k]}`).join(", ");
        const tile = p[4] < 0 ? "" : `, tile wave ${data.picture.waves[p[4]] + 1}`;
        return `${drawn.name}[${values}]  step ${p[3] + 1}${tile}`;
      });
      if (points.length > 4) lines.push(`and ${points.length - 4} more behind it`);
      tip.textContent = lines.join("\n");
      tip.hidden = false;
      moveTip(event);
      this.svg.querySelectorAll(".arrow").forEach((arrow) => {
        const touches = arrow.pairs.some(([a, p, b, q]) => (a === s && own.has(p)) || (b === s && own.has(q)));
        arrow.classList.toggle("dim", !touches);
      });
    }
    refresh() {
      let shown = 0;
      this.svg.querySelectorAll(".arrow").forEach((arrow) => {
        const visible = !state.hidden.has(arrow.dataset.kind) && (!state.loop || Number(arrow.dataset.loop) === state.loop);
        arrow.classList.toggle("hidden", !visible);
        shown += visible;
      });
      const circles = this.svg.querySelectorAll(".point");
      circles.forEach((dot) => {
        const steps = dot.owner[1].map((n) => data.picture.statements[dot.owner[0]].points[n][3]);
        const whole = state.step >= data.picture.steps;
        dot.classList.toggle("now", !whole && steps.includes(state.step));
        dot.classList.toggle("later", !whole && Math.min(...steps) > state.step);
      });
      if (!circles.length) return;
      let text = `${circles.length} points, ${shown} arrows`;
      if (this.along) text += `; ${this.along} dependences run along hidden axes`;
      this.caption.textContent = text;
      if (this.all.length > 1) this.legend();
    }
    legend() {
      const legend = element("span", { class: "legend" }, this.caption);
      for (const s of this.all) {
        const shown = this.statements.includes(s), name = data.picture.statements[s].name;
        const entry = element("button", { type: "button", "aria-pressed": shown, title: shown ? "hide " + name : "show " + name }, legend);
        element("i", { style: `background: var(--s${s % COLOURS})` }, entry);
        entry.append(name);
        entry.addEventListener("click", () => {
          const next = this.all.filter((o) => (o === s ? !shown : this.statements.includes(o)));
          if (!next.length) return; // the last one stays
          this.statements = next;
          this.draw();
          refresh();
        });
      }
    }
  }

  const tip = element("div", { class: "tip", hidden: "" }, document.body);
  function moveTip(event) {
    tip.style.left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8) + "px";
  }

  // --- the tools above the pictures ------------------------------------------------------------------------------
  function refresh() {
    for (const panel of panels) panel.refresh();
    const label = document.getElementById("step-label");
    if (label) {
      const whole = state.step >= data.picture.steps;
      let at = 0;
      for (const s of data.picture.statements) for (const p of s.points) at += p[3] === state.step;
      label.textContent = whole ? `all ${data.picture.steps} steps` : `step ${state.step + 1} of ${data.picture.steps}: ${at} at once`;
    }
    document.querySelectorAll("table.loops tr[data-loop]").forEach((row) => {
      const chosen = Number(row.dataset.loop) === state.loop;
      row.classList.toggle("chosen", chosen);
      const button = row.querySelector("button.arrows");
      if (button) button.textContent = chosen ? "show all arrows" : "show its arrows";
    });
    const loops = document.getElementById("loop-filter");
    if (loops) loops.value = state.loop;
  }
  function setUpPictures() {
    const host = document.getElementById("panels");
    if (!host || !data.picture) return;
    const picture = data.picture, counts = Object.fromEntries(KINDS.map((k) => [k, 0]));
    picture.arrows.forEach((a) => (counts[a[0]] += 1));
    const many = picture.arrows.length > 160;
    const tools = document.getElementById("tools");
    for (const kind of KINDS.filter((k) => counts[k])) {
      const label = element("label", {}, tools);
      const box = element("input", { type: "checkbox", "data-kind": kind }, label);
      box.checked = !(many && counts.flow && (kind === "anti" || kind === "output"));
      if (!box.checked) state.hidden.add(kind);
      box.addEventListener("change", () => {
        if (box.checked) state.hidden.delete(kind);
        else state.hidden.add(kind);
        refresh();
      });
      element("span", { class: "swatch " + kind }, label);
      label.append(kind + " ");
      element("span", { class: "count" }, label, counts[kind]);
    }
    if (picture.waves.length) {
      const label = element("label", {}, tools);
      const box = element("input", { type: "checkbox", id: "tiles" }, label);
      box.checked = true;
      box.addEventListener("change", () => host.classList.toggle("no-tiles", !box.checked));
      label.append("tiles ");
      element("span", { class: "count" }, label, picture.waves.length);
    }
    const carried = [...new Set(picture.arrows.map((a) => a[5]))].filter(Boolean).sort((a, b) => a - b);
    if (carried.length) {
      const label = element("label", {}, tools, "carried by ");
      const select = element("select", { id: "loop-filter" }, label);
      element("option", { value: 0 }, select, "any loop or order");
      for (const n of carried) element("option", { value: n }, select, data.loops[n - 1] || "loop " + n);
      select.addEventListener("change", () => {
        state.loop = Number(select.value);
        refresh();
      });
    }
    const play = element("label", {}, tools);
    const button = element("button", { type: "button", id: "play", title: "play the order" }, play, "▶");
    const slider = element("input", { type: "range", min: 0, max: picture.steps, value: picture.steps, id: "step", "aria-label": "step" }, play);
    element("span", { class: "count", id: "step-label" }, play);
    let timer = 0;
    const go = (value) => {
      state.step = value;
      slider.value = value;
      refresh();
    };
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      button.textContent = "▶";
    };
    slider.addEventListener("input", () => {
      stop();
      go(Number(slider.value));
    });
    button.addEventListener("click", () => {
      if (timer) return stop();
      button.textContent = "❚❚";
      if (state.step >= picture.steps) go(0);
      timer = setInterval(() => (state.step >= picture.steps ? stop() : go(state.step + 1)), 260);
    });
    const all = picture.statements.map((_, k) => k);
    const moved = picture.statements.some((s) => s.points.some((p) => String(p[0]) !== String(p[1])));
    if (all.length > 1) {
      const depth = Math.max(...picture.statements.map((s) => s.iterators.length));
      const loops = Array.from({ length: depth }, (_, k) =>
        [...new Set(picture.statements.map((s) => s.iterators[k]).filter(Boolean))].join(" | "));
      panels.push(new Panel(host, "All statements, as written", "", all, loops, (p) => p[0]));
      if (moved) panels.push(new Panel(host, "All statements, as scheduled", "", all, picture.dimensions, (p) => p[1]));
    }
    all.forEach((k) => {
      const s = picture.statements[k];
      panels.push(new Panel(host, s.name, s.source, [k], s.iterators, (p) => p[0]));
    });
    if (all.length === 1 && moved)
      panels.push(new Panel(host, picture.statements[0].name + ", as scheduled", "", all, picture.dimensions, (p) => p[1]));
  }
  function setUpLoops() {
    document.querySelectorAll("button.arrows").forEach((button) =>
      button.addEventListener("click", () => {
        const loop = Number(button.closest("tr").dataset.loop);
        state.loop = state.loop === loop ? 0 : loop;
        refresh();
      })
    );
    document.querySelectorAll("button.copy").forEach((button) =>
      button.addEventListener("click", () => {
        const done = () => {
          button.textContent = "copied";
          setTimeout(() => (button.textContent = "copy"), 1200);
        };
        if (navigator.clipboard) navigator.clipboard.writeText(button.dataset.text).then(done, () => {});
      })
    );
  }

  // --- code -------------------------------------------------------------------------------------------------------
  const WORDS = /(\/\/[^\n]*|#[^\n]*|;[^\n]*)|\b(parallel|vector|unroll|simd|omp)\b|\b(for|in|if|else|kernel|alloc|step|size|inout|out|scalar|void|const|static|inline|return|double|float|int|int32_t|int64_t|restrict|define|load|store|br|ret|label|phi|getelementptr|fmul|fadd|call|pragma|band|filter|sequence|domain)\b|\b(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?\w*)\b/g;
  function paint(block) {
    const text = block.textContent, kind = block.dataset.kind;
    const comment = new Set(kind === "llvm" ? ";" : kind === "loop" || kind === "definition" ? "#" : "/");
    if (text.length > 150000) return;
    const out = document.createDocumentFragment();
    let last = 0, match;
    WORDS.lastIndex = 0;
    while ((match = WORDS.exec(text))) {
      if (match[1] && !comment.has(match[1][0])) {
        WORDS.lastIndex = match.index + (match[1].startsWith("//") ? 2 : 1); // no comment in this language
        continue;
      }
      out.append(text.slice(last, match.index));
      element("span", { class: match[1] ? "c" : match[2] ? "p" : match[3] ? "k" : "n" }, out, match[0]);
      last = match.index + match[0].length;
    }
    out.append(text.slice(last));
    block.replaceChildren(out);
  }
  function setUpCode() {
    const tabs = document.querySelectorAll(".tabs button");
    tabs.forEach((tab) =>
      tab.addEventListener("click", () => {
        tabs.forEach((other) => other.setAttribute("aria-selected", other === tab));
        document.querySelectorAll("pre.code").forEach((block) => (block.hidden = block.dataset.kind !== tab.dataset.kind));
      })
    );
    document.querySelectorAll("pre.code").forEach(paint);
  }
  function setUpTheme() {
    const button = document.getElementById("theme");
    button.addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
    });
  }

  setUpTheme();
  setUpLoops();
  setUpPictures();
  setUpCode();
  refresh();
  root.dataset.ready = "yes";
})();
