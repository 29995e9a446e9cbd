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
