// The plot of a KPI around an alert: its line, the limits, the window shaded, the instant it fired.
import { duration, zone } from "./times.js";

const plots = [];

function draw() {
  for (const plot of plots.splice(0)) plot.destroy();
  for (const place of document.querySelectorAll("[data-plot]")) plots.push(make(place, JSON.parse(place.dataset.plot)));
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { ink: of("--dim"), line: of("--info-ink"), grid: of("--line"), act: of("--act-ink"), good: of("--good-ink"), shade: of("--shade") };
}

function words(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "share") return `${(value * 100).toFixed(value < 0.1 && value > 0 ? 1 : 0)} %`;
  if (unit === "s") return duration(value * 1000);
  return unit === "points" ? `${value.toFixed(0)} %` : String(Math.round(value * 10) / 10);
}

function limits(data, paint) {
  return [
    { at: data.threshold, colour: paint.act, words: "limit", dash: [6, 4] },
    { at: data.clear, colour: paint.good, words: "clears", dash: [2, 4] },
  ].filter((limit) => limit.at !== null && limit.at !== undefined);
}

function overlay(plot, data, paint) {
  const { ctx, bbox } = plot;
  const x = (at) => Math.min(bbox.left + bbox.width, Math.max(bbox.left, plot.valToPos(at, "x", true)));
  ctx.save();
  ctx.fillStyle = paint.shade;
  ctx.fillRect(x(data.from), bbox.top, Math.max(2, x(data.to) - x(data.from)), bbox.height);
  ctx.lineWidth = devicePixelRatio;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  for (const limit of limits(data, paint)) {
    const y = plot.valToPos(limit.at, "y", true);
    stroke(ctx, limit.colour, limit.dash, [bbox.left, y], [bbox.left + bbox.width, y]);
    ctx.fillStyle = limit.colour;
    ctx.fillText(`${limit.words} ${words(limit.at, data.unit)}`, bbox.left + 6 * devicePixelRatio, y - 5 * devicePixelRatio);
  }
  stroke(ctx, paint.ink, [], [x(data.at), bbox.top], [x(data.at), bbox.top + bbox.height]);
  ctx.restore();
}

function stroke(ctx, colour, dash, from, to) {
  ctx.strokeStyle = colour;
  ctx.setLineDash(dash.map((part) => part * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
}

function make(place, data) {
  const paint = colours();
  const known = [...data.y, ...limits(data, paint).map((limit) => limit.at)].filter((value) => value !== null);
  const top = data.unit === "share" ? Math.min(1, Math.max(...known) * 1.15) : Math.max(...known) * 1.15;
  const axis = { stroke: paint.ink, grid: { stroke: paint.grid, width: 1 }, ticks: { stroke: paint.grid, width: 1 }, font: "12px system-ui, sans-serif" };
  return new uPlot(
    {
      width: place.clientWidth,
      height: 240,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), data.zone || zone()),
      legend: { live: true },
      cursor: { drag: { x: false, y: false } },
      scales: { x: { time: true }, y: { range: [0, top || 1] } },
      axes: [{ ...axis, values: data.byDay ? "{D} {MMM}" : "{HH}:{mm}" }, { ...axis, size: 56, values: (_, all) => all.map((at) => words(at, data.unit)) }],
      series: [
        { label: "At", value: data.byDay ? "{D} {MMM} {YYYY}" : "{HH}:{mm}" },
        { label: data.name, stroke: paint.line, width: 2, spanGaps: false, points: { show: data.byDay, size: 5 }, value: (_, value) => words(value, data.unit) },
        { label: "n", scale: "n", show: true, stroke: "transparent", width: 0, points: { show: false }, value: (_, value) => (value === null ? "–" : value) },
      ],
      hooks: { drawAxes: [(plot) => overlay(plot, data, paint)] },
    },
    [data.x, data.y, data.n],
    place,
  );
}

let resizing = 0;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(draw, 150);
});
for (const name of ["floor:theme", "floor:detail"]) document.addEventListener(name, draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
