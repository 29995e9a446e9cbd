// Tables sort by a click on a column's head; once more turns the order around.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      const isNumber = head.classList.contains("number");
      const key = (row) => row.cells[column].dataset.key;
      const order = (a, b) => isNumber
        ? (Number(key(a)) > Number(key(b))) - (Number(key(a)) < Number(key(b)))
        : key(a).localeCompare(key(b));
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((a, b) => (descending ? -1 : 1) * order(a, b));
      body.append(...rows);
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    });
  });
}

// A table that is wider than its place says so.
const sayWide = (box) => {
  const wide = box.scrollWidth > box.clientWidth + 1;
  box.classList.toggle("wide", wide);
  const next = box.nextElementSibling;
  const hint = next && next.classList.contains("more") ? next : null;
  if (!wide && hint) hint.remove();
  if (wide && !hint) {
    const more = document.createElement("p");
    more.className = "more";
    more.textContent = "More columns to the right: scroll the table sideways \u2192";
    box.after(more);
  }
};
const sayAllWide = () => document.querySelectorAll(".scroll").forEach(sayWide);
addEventListener("resize", sayAllWide);
addEventListener("toggle", sayAllWide, true);  // of tables that were folded
sayAllWide();

// What a pointer finds in a figure is named beside it; a click marks it everywhere.
const tip = document.getElementById("tip");
const light = (key, on) => {
  for (const path of document.querySelectorAll(".plot path"))
    if (path.dataset.of === key) path.classList.toggle("lit", on);
  for (const row of document.querySelectorAll("tbody tr"))
    if (row.cells[0].textContent === key) row.classList.toggle("lit", on);
};
for (const path of document.querySelectorAll(".plot path")) {
  const title = path.querySelector("title");
  const text = title.textContent;
  title.remove();  // else the browser shows it a second time
  path.addEventListener("pointermove", (event) => {
    tip.textContent = text;
    tip.hidden = false;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const below = event.clientY + 14 + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? event.clientY + 14 : event.clientY - tip.offsetHeight - 8}px`;
  });
  path.addEventListener("pointerleave", () => { tip.hidden = true; });
  path.addEventListener("click", () => light(path.dataset.of, !path.classList.contains("lit")));
}
