// j k o a s / and ?: the inbox without a mouse.
export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, dialog")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = { j: () => move(1), k: () => move(-1), o: open, a: () => step("acknowledge"), s: () => step("snooze") }[event.key];
    if (act) act();
    else if (event.key === "/") document.querySelector("#search, #find")?.focus();
    else if (event.key === "?") document.getElementById("keys").showModal();
    else return;
    event.preventDefault();
  });
}

function rows() {
  return [...document.querySelectorAll(".items > .item:not([hidden]), .need")];
}

function current(all) {
  const focused = all.findIndex((row) => row.contains(document.activeElement));
  return focused >= 0 ? focused : all.findIndex((row) => row.classList.contains("current"));
}

function move(by) {
  const all = rows();
  if (!all.length) return;
  const next = all[Math.min(all.length - 1, Math.max(0, current(all) + by))];
  next.querySelector("a").focus();
  next.scrollIntoView({ block: "nearest" });
}

function open() {
  const all = rows();
  all[current(all)]?.querySelector("a").click();
}

// The row that has the focus, else the alert or case that is open. A row of a list has no steps of its own: where it is
// not the one that is open, it is opened first, so that nobody acts on what they do not see.
function step(name) {
  const row = document.activeElement?.closest(".need, .items > .item");
  if (row?.matches(".need")) row.querySelector(`[data-testid="${name}"]`)?.click();
  else if (row && row.id !== row.parentElement.dataset.current) row.querySelector("a").click();
  else document.querySelector(`#detail [data-step^="${name}_"]`)?.click();
}
