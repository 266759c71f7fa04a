"""What sorts the tables of a study's page."""

from __future__ import annotations

__all__ = ["SCRIPT"]

#: Numbers by data-v, all else by its text; what has no number comes last, either way round.
SCRIPT = """
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const th = button.parentElement, body = th.closest("table").tBodies[0], k = th.cellIndex;
  const up = th.getAttribute("aria-sort") !== "ascending";
  for (const other of th.parentElement.cells) other.removeAttribute("aria-sort");
  th.setAttribute("aria-sort", up ? "ascending" : "descending");
  const numeric = [...body.rows].some(r => r.cells[k].dataset.v);
  const rows = [...body.rows].sort((a, b) => {
    const [p, q] = [a.cells[k], b.cells[k]];
    if (!numeric) return (up ? 1 : -1) * p.textContent.localeCompare(q.textContent);
    if (!p.dataset.v || !q.dataset.v) return !p.dataset.v - !q.dataset.v;
    return (up ? 1 : -1) * (p.dataset.v - q.dataset.v);
  });
  body.append(...rows);
});
"""
