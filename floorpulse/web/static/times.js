// Times on the page: running timers, ages, local times in the page's zone.
let head = { now: Date.now(), clock: Date.now(), mode: "wall", zone: "UTC" };
let heard = performance.now();
const formats = new Map();

// The zone is the page's own: what comes live is the same for every page and names none.
export function setHead(next) {
  head = { now: next.now, clock: next.clock, mode: next.mode, zone: next.zone ?? head.zone };
  heard = performance.now();
}

// A replay stands still between two messages; a live floor runs on.
export function floorNow() {
  return head.mode === "event" ? head.clock : head.now + (performance.now() - heard);
}

export function zone() {
  return head.zone;
}

export function startTimes() {
  retime();
  setInterval(retime, 1000);
}

export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

function ago(ms) {
  const minutes = Math.floor(ms / 60000);
  if (minutes < 1) return `${Math.max(0, Math.floor(ms / 1000))} s`;
  if (minutes < 60) return `${minutes} min`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} d`;
}

function format(name, options) {
  const key = `${name}|${head.zone}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: head.zone, ...options }));
  return formats.get(key);
}

const dayOf = (ms) => format("day", { year: "numeric", month: "short", day: "numeric" }).format(ms);
const clockOf = (ms) => format("clock", { hour: "2-digit", minute: "2-digit" }).format(ms);

function local(ms) {
  const now = floorNow();
  if (dayOf(ms) === dayOf(now)) return clockOf(ms);
  const sameYear = dayOf(ms).slice(-4) === dayOf(now).slice(-4);
  return `${sameYear ? dayOf(ms).slice(0, -5) : dayOf(ms)} ${clockOf(ms)}`;
}

function full(ms) {
  const time = format("full", { dateStyle: "medium", timeStyle: "medium" }).format(ms);
  return `${time} ${head.zone}`;
}

function put(node, text, ms) {
  if (node.textContent !== text) node.textContent = text;
  if (node.dataset.titled !== String(ms)) {
    node.title = full(ms);
    node.dataset.titled = String(ms);
  }
}

export function retime() {
  const now = floorNow();
  for (const node of document.querySelectorAll("time[data-since]")) put(node, duration(now - node.dataset.since), Number(node.dataset.since));
  for (const node of document.querySelectorAll("time[data-ago]")) put(node, ago(now - node.dataset.ago), Number(node.dataset.ago));
  for (const node of document.querySelectorAll("time[data-at]")) put(node, local(Number(node.dataset.at)), Number(node.dataset.at));
  const clock = document.getElementById("floor-time");
  if (clock && head.clock) {
    const text = `${dayOf(now)}, ${format("seconds", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(now)}`;
    if (clock.textContent !== text) clock.textContent = text;
  }
}
