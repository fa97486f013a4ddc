// Finds an agent on the board, whose row may stand in a team that is folded.
const PAUSE_MS = 150;
const LOOK_MS = 5000;

export function startFind() {
  const field = document.getElementById("find");
  if (!field) return;
  const list = document.getElementById("found");
  let pause = 0;
  field.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => look(field, list), PAUSE_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") list.querySelector("button")?.click();
  });
  list.addEventListener("click", (event) => {
    const chosen = event.target.closest("button");
    if (!chosen) return;
    close(list);
    field.value = "";
    show(chosen.dataset.team, `agent-${chosen.dataset.agent}`);
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".find")) close(list);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(list);
  });
}

async function look(field, list) {
  const text = field.value.trim();
  if (!text) return close(list);
  const answer = await fetch(`/find?${new URLSearchParams({ text })}`).catch(() => null);
  if (field.value.trim() !== text) return; // another one has been asked for since
  const found = answer?.ok ? await answer.json() : [];
  const words = answer?.ok ? "Nobody like that is on the board. Who signed off is not listed." : "No answer from floorpulse.";
  list.replaceChildren(...(found.length ? found.map(row) : [note(words)]));
  list.hidden = false;
}

function row(agent) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.team = agent.team;
  button.dataset.agent = agent.id;
  button.textContent = agent.name ? `${agent.id} ${agent.name}` : agent.id;
  const where = document.createElement("span");
  where.className = "dim";
  where.textContent = `${agent.team_name}, ${agent.state || "no state yet"}`;
  button.append(where);
  const item = document.createElement("li");
  item.append(button);
  return item;
}

function note(words) {
  const item = document.createElement("li");
  item.className = "dim";
  item.textContent = words;
  return item;
}

function close(list) {
  list.hidden = true;
  list.replaceChildren();
}

// The rows of a folded team come a moment after it was opened.
function show(team, id) {
  const frame = document.getElementById(team);
  if (frame) frame.open = true;
  const until = performance.now() + LOOK_MS;
  const step = () => {
    const place = document.getElementById(id);
    if (!place) return performance.now() < until && requestAnimationFrame(step);
    for (const other of document.querySelectorAll("tr.current")) other.classList.remove("current");
    place.classList.add("current");
    place.scrollIntoView({ block: "center" });
    place.querySelector("a, button")?.focus({ preventScroll: true });
  };
  step();
}
