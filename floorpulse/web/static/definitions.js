// What a number means: opens on hover, focus and tap; Escape closes it.
let shown = null;

export function startDefinitions() {
  const pop = document.getElementById("pop");
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const number = event.target.closest?.("[data-def]");
    if (number) open(pop, number);
    else if (shown && !event.target.closest?.("#pop") && shown !== document.activeElement) close(pop);
  });
  document.addEventListener("focusin", (event) => {
    const number = event.target.closest("[data-def]");
    if (number) open(pop, number);
    else close(pop);
  });
  document.addEventListener("click", (event) => {
    const number = event.target.closest("[data-def]");
    if (number) {
      event.preventDefault();
      open(pop, number);
    } else close(pop);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(pop);
  });
  addEventListener("scroll", () => close(pop), { passive: true });
}

function open(pop, number) {
  if (shown === number) return;
  close(pop);
  const definition = document.getElementById(`def-${number.dataset.def}`);
  const name = definition?.querySelector("b").textContent || number.dataset.def;
  const words = number.dataset.words || definition?.querySelector("span").textContent || "";
  pop.replaceChildren(line("b", name), line("p", words), line("p", number.dataset.note || "", "note"));
  pop.hidden = false;
  number.setAttribute("aria-describedby", "pop");
  place(pop, number);
  shown = number;
}

function line(tag, text, name = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  node.className = name;
  return node;
}

function place(pop, number) {
  const box = number.getBoundingClientRect();
  const left = Math.min(Math.max(8, box.left + box.width / 2 - pop.offsetWidth / 2), innerWidth - pop.offsetWidth - 8);
  const below = box.bottom + 8 + pop.offsetHeight < innerHeight;
  pop.style.left = `${left}px`;
  pop.style.top = `${below ? box.bottom + 8 : Math.max(8, box.top - pop.offsetHeight - 8)}px`;
}

function close(pop) {
  shown?.removeAttribute("aria-describedby");
  shown = null;
  pop.hidden = true;
}
