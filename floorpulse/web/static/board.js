// Every page's script: live pieces, running times, definitions, keys. No framework, nothing from elsewhere.
import { startTimes, setHead, retime } from "./times.js";
import { apply, whenQuiet } from "./pieces.js";
import { startDefinitions } from "./definitions.js";
import { startKeys } from "./keys.js";
import { startFind } from "./find.js";

const body = document.body;
const SILENT_MS = 8000;
let heardAt = performance.now();
let lostSince = 0;
let source = null;
const areasHere = JSON.parse(body.dataset.areas);
const areasOfTab = areasHere.filter((area) => !area.startsWith("rows-"));
let known = new Set(areasHere); // what is here as of the stamp
let asked = known; // what the connection follows
let stamp = body.dataset.stamp;
let saidAt = 0;
let alertsBefore = null;

setHead(JSON.parse(body.dataset.head));
startTimes();
startDefinitions();
startKeys();
restoreFolds();
startTheme();
startForms();
startSearch();
startFind();
showHead(JSON.parse(body.dataset.head));
connect();
setInterval(checkSilence, 1000);

// What this page follows: the areas of its tab, and the rows of the teams that are open.
function watched() {
  const open = [...document.querySelectorAll("details.team[open]")].map((team) => `rows-${team.id}`);
  return [...areasOfTab, ...open];
}

function connect() {
  const areas = watched();
  const query = new URLSearchParams({ since: stamp });
  for (const area of areas) query.append("area", area);
  for (const area of areas) if (!known.has(area)) query.append("fresh", area);
  asked = new Set(areas);
  source?.close();
  source = new EventSource(`/live?${query}`);
  source.addEventListener("floor", (event) => {
    heardAt = performance.now();
    lostSince = 0;
    stamp = event.lastEventId || stamp;
    known = new Set(areas);
    const floor = JSON.parse(event.data);
    setHead(floor);
    showHead(floor);
    apply(floor);
    restoreFolds();
    followOpened();
    filter();
    retime();
    follow(floor);
  });
}

// A team that was folded has no rows here yet.
function followOpened() {
  if (watched().some((area) => !asked.has(area))) connect();
}

// The browser opens a connection again that broke, but neither one that was refused nor one that hangs.
function checkSilence() {
  if (performance.now() - heardAt < SILENT_MS) return;
  if (!lostSince) lostSince = Date.now() - SILENT_MS;
  banner("The numbers stand still: no connection to floorpulse", lostSince);
  document.getElementById("live").dataset.state = "lost";
  document.getElementById("live-words").textContent = "no connection";
  heardAt = performance.now() - SILENT_MS / 2;
  connect();
}

function showHead(head) {
  const live = document.getElementById("live");
  const words = document.getElementById("live-words");
  const age = head.stored ? Math.max(0, Math.round((head.now - head.stored) / 1000)) : null;
  live.dataset.state = head.stale ? "stale" : "live";
  const name = head.mode === "event" ? "replay" : "live";
  words.textContent = head.stale ? "stale" : age === null ? "no events yet" : `${name}, ${short(age)} ago`;
  if (head.stale) banner(head.stale, head.staleSince);
  else banner("", 0);
  const mode = document.getElementById("floor-mode");
  if (mode) mode.textContent = head.mode === "event" ? "Replay, floor time" : "";
  const base = document.title.replace(/^\(\d+\) /, "");
  document.title = head.alerts ? `(${head.alerts}) ${base}` : base;
  say(head.alerts);
}

function short(seconds) {
  if (seconds < 60) return `${seconds} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function banner(words, since) {
  const stale = document.getElementById("stale");
  stale.hidden = !words;
  body.classList.toggle("is-stale", Boolean(words));
  if (!words) return;
  const at = new Date(since).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const text = `${words} since ${at}. This page goes on by itself.`;
  if (stale.textContent !== text) stale.textContent = text;
}

// At most one sentence each ten seconds, so that a screen reader can keep up.
function say(alerts) {
  if (alertsBefore === null) alertsBefore = alerts;
  if (alerts === alertsBefore || Date.now() - saidAt < 10000) return;
  document.getElementById("polite").textContent = `${alerts} ${alerts === 1 ? "alert needs" : "alerts need"} a person`;
  alertsBefore = alerts;
  saidAt = Date.now();
}

// The detail of an alert or a case is fetched again when its row says that it changed; what somebody writes there stays.
async function follow(floor) {
  const main = document.getElementById("main");
  const piece = main.dataset.watch && floor.pieces[main.dataset.watch];
  if (!piece) return;
  const holder = document.createElement("template");
  holder.innerHTML = piece;
  const version = holder.content.firstElementChild.dataset.version;
  const shown = main.dataset.watchVersion;
  if (version === shown || Number(version) < Number(shown)) return; // a list may be behind the page that a form led to
  main.dataset.watchVersion = version;
  if (isWriting()) return sayChanged();
  const answer = await fetch(main.dataset.watchPath, { headers: { accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("detail");
  if (!fresh || version !== main.dataset.watchVersion) return; // a newer one has been asked for: answers may overtake
  if (isWriting()) return sayChanged(); // begun while the answer was on its way
  const detail = document.getElementById("detail");
  keepOpen(detail, fresh);
  detail.replaceWith(document.adoptNode(fresh));
  document.querySelector("main > .message")?.remove(); // it told of what is on record now
  main.dataset.watchVersion = page.getElementById("main").dataset.watchVersion;
  retime();
  document.dispatchEvent(new CustomEvent("floor:detail"));
}

function sayChanged() {
  toast("This changed meanwhile. Reload to see it; what you typed is not saved yet.");
}

function keepOpen(before, after) {
  const opened = [...before.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent);
  for (const summary of after.querySelectorAll("details > summary")) {
    if (opened.includes(summary.textContent)) summary.parentElement.open = true;
  }
}

// What a refused form came back with is in no record yet, though the page began with it.
function isWriting() {
  if ("unsaved" in document.getElementById("main").dataset) return true;
  return [...document.querySelectorAll("#detail textarea, #detail select, #detail input:not([type=hidden])")].some(
    (field) => field === document.activeElement || (field.value !== (field.defaultValue ?? "") && field.value !== ""),
  );
}

function restoreFolds() {
  for (const team of document.querySelectorAll("details[data-fold]:not([data-known])")) {
    const kept = localStorage.getItem(`fold:${team.dataset.fold}`);
    if (kept) team.open = kept === "open";
    team.dataset.known = "";
    team.addEventListener("toggle", followOpened);
    team.querySelector("summary").addEventListener("click", () => {
      localStorage.setItem(`fold:${team.dataset.fold}`, team.open ? "closed" : "open");
    });
  }
}

function startTheme() {
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    document.cookie = `theme=${root.dataset.theme};path=/;max-age=31536000;samesite=lax`;
    document.dispatchEvent(new CustomEvent("floor:theme"));
  });
  const you = document.querySelector(".you input[name=viewer]");
  you.addEventListener("change", () => you.form.requestSubmit());
}

// Quick actions keep the place: they are sent in the background and the row changes by itself.
function startForms() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.method === "dialog") return; // sends nothing, and is there to be closed again
    if (form.matches(".you") && isWriting()) {
      event.preventDefault();
      return becomeViewer(form);
    }
    if (!form.matches("form[data-quiet]")) {
      for (const button of form.querySelectorAll("button:not([type=button])")) setTimeout(() => (button.disabled = true));
      return;
    }
    event.preventDefault();
    const button = event.submitter;
    const url = button?.getAttribute("formaction") || form.action;
    if (button) button.disabled = true;
    try {
      const answer = await fetch(url, {
        method: "POST",
        headers: { accept: "application/json" },
        body: new URLSearchParams(new FormData(form)),
      });
      const said = await answer.json();
      toast(said.message || said.detail);
      if (!answer.ok && button) button.disabled = false;
    } catch {
      toast("Not sent: no connection to floorpulse.");
      if (button) button.disabled = false;
    }
  });
}

// Who notices in the midst of writing whose name stands on top changes that alone.
async function becomeViewer(form) {
  const sent = { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" };
  const answer = await fetch(form.action, sent).catch(() => null);
  toast(answer?.type === "opaqueredirect" ? `You are ${form.viewer.value} now.` : "Not changed: no connection to floorpulse.");
}

let toastTimer = 0;
function toast(words) {
  const place = document.getElementById("toast");
  place.textContent = words;
  place.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (place.hidden = true), 6000);
}

function startSearch() {
  document.getElementById("search")?.addEventListener("input", filter);
}

function filter() {
  const search = document.getElementById("search");
  if (!search) return;
  const wanted = search.value.trim().toLowerCase();
  for (const item of document.querySelectorAll(".items > .item")) {
    item.hidden = Boolean(wanted) && !item.textContent.toLowerCase().includes(wanted);
  }
  mark();
}

function mark() {
  for (const list of document.querySelectorAll("[data-current]")) {
    for (const item of list.children) item.classList.toggle("current", item.id === list.dataset.current);
  }
}
mark();
whenQuiet();
