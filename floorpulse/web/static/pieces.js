// Puts changed pieces into the page. Content changes at once; a new order waits while somebody points there.
const unplaced = new Map();
const waiting = new Map();

export function apply(floor) {
  for (const [id, html] of Object.entries(floor.pieces)) replace(id, html);
  const orders = Object.entries(floor.orders);
  orders.sort(([one], [other]) => depth(one) - depth(other));
  for (const [container, ids] of orders) arrange(container, ids);
  unplaced.clear(); // whatever comes into an order later comes anew
  showWaiting();
}

function depth(container) {
  return container.startsWith("rows-") ? 1 : 0;
}

function make(html) {
  const holder = document.createElement("template");
  holder.innerHTML = `<table><tbody>${html}</tbody></table>`;
  const row = holder.content.querySelector("tbody > tr");
  if (row) return row;
  holder.innerHTML = html;
  return holder.content.firstElementChild;
}

function replace(id, html) {
  const old = document.getElementById(id);
  if (!old) {
    unplaced.set(id, html);
    return;
  }
  if (old.matches("details.team")) return; // its frame never changes; head and rows come as their own pieces
  const fresh = make(html);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  mark(old, fresh);
  fresh.className = `${fresh.className} ${old.classList.contains("current") ? "current" : ""}`.trim();
  old.replaceWith(fresh);
  if (focused) refocus(fresh, focused);
}

function refocus(fresh, focused) {
  const key = focused.dataset.focus || focused.dataset.key;
  const next = [...fresh.querySelectorAll("[data-focus], [data-key]")].find((node) => (node.dataset.focus || node.dataset.key) === key);
  (next || fresh.querySelector("a, button"))?.focus({ preventScroll: true });
}

// A number that changed fades once.
function mark(old, fresh) {
  const before = new Map([...old.querySelectorAll("[data-key]")].map((node) => [node.dataset.key, node.textContent]));
  for (const node of fresh.querySelectorAll("[data-key]")) {
    if (before.has(node.dataset.key) && before.get(node.dataset.key) !== node.textContent) node.classList.add("changed");
  }
}

function arrange(container, ids) {
  const place = document.getElementById(container);
  if (!place) return;
  const adds = ids.some((id) => !inside(place, id));
  if (!adds && isRead(place)) {
    waiting.set(container, ids);
    return;
  }
  waiting.delete(container);
  order(place, ids);
}

function inside(place, id) {
  return document.getElementById(id)?.parentElement === place;
}

function isRead(place) {
  return place.matches(":hover") && matchMedia("(hover: hover)").matches;
}

function order(place, ids) {
  const wanted = new Set(ids);
  for (const child of [...place.children]) {
    if (!wanted.has(child.id)) {
      unplaced.set(child.id, child.outerHTML);
      child.remove();
    }
  }
  let after = null;
  for (const id of ids) {
    const node = document.getElementById(id) || make(unplaced.get(id) || "");
    if (!node) continue;
    unplaced.delete(id);
    const next = after ? after.nextElementSibling : place.firstElementChild;
    if (next !== node) place.insertBefore(node, next);
    after = node;
    fill(node);
  }
  const card = document.querySelector(`[data-hide-empty="${CSS.escape(place.id)}"]`);
  if (card) card.hidden = ids.length === 0;
}

// A new team's frame comes empty: its head is among the pieces that had no place yet.
function fill(node) {
  for (const slot of node.querySelectorAll("[id]")) {
    if (unplaced.has(slot.id)) {
      const html = unplaced.get(slot.id);
      unplaced.delete(slot.id);
      slot.replaceWith(make(html));
    }
  }
}

function showWaiting() {
  const note = document.getElementById("waiting");
  note.hidden = waiting.size === 0;
  if (waiting.size) note.textContent = "New order waits while you point here";
}

// When the pointer has left, what waited is done.
export function whenQuiet() {
  document.addEventListener("pointerover", () => {
    for (const [container, ids] of [...waiting]) {
      const place = document.getElementById(container);
      if (place && isRead(place)) continue;
      waiting.delete(container);
      if (place) order(place, ids);
    }
    unplaced.clear();
    showWaiting();
  });
}
