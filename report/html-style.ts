/** The look of a report: quiet, readable at 3 a.m., and the same on paper. */
export const STYLE = `
:root { --good: #176c3a; --fair: #8a5a00; --bad: #a4201d; --line: #d9dde3; --ink: #1b2430; --soft: #5b6675; }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink); background: #f4f5f7; }
main { max-width: 1080px; margin: 0 auto; padding: 24px; }
header, section { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 18px 22px; margin-bottom: 16px; }
header { border-left: 10px solid var(--soft); }
header.good { border-left-color: var(--good); } header.good h1 { color: var(--good); }
header.fair { border-left-color: var(--fair); } header.fair h1 { color: var(--fair); }
header.bad { border-left-color: var(--bad); } header.bad h1 { color: var(--bad); }
h1 { margin: 0 0 6px; font-size: 28px; letter-spacing: .02em; }
h2 { margin: 0 0 10px; font-size: 17px; }
p { margin: 4px 0; }
.error { color: var(--bad); } .error span { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; background: none; border: 0; padding: 0; }
.card { background: #fff; border: 1px solid var(--line); border-top: 5px solid var(--soft); border-radius: 8px; padding: 12px 16px; }
.card h2 { font-size: 13px; color: var(--soft); margin: 0; text-transform: uppercase; letter-spacing: .06em; }
.card p { color: var(--soft); } .card .value { font-size: 22px; color: var(--ink); font-weight: 600; }
.card.good { border-top-color: var(--good); } .card.fair { border-top-color: var(--fair); } .card.bad { border-top-color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th:last-child:not(:first-child) { min-width: 6em; white-space: nowrap; }
th { text-align: left; color: var(--soft); font-weight: 600; }
th, td { padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word; }
td:last-child { overflow-wrap: anywhere; }
tr.pass td:last-child { color: var(--good); font-weight: 600; }
tr.fail td { color: var(--bad); font-weight: 600; }
svg { width: 100%; height: auto; display: block; }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }
svg .figure { paint-order: stroke; stroke: #fff; stroke-width: 3px; }
code { font-size: 13px; }
h3 { margin: 10px 0 4px; font-size: 13px; }
pre { margin: 0; padding: 8px 10px; background: #f4f5f7; font-size: 12px; white-space: pre-wrap; overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: 12px; padding: 0 4px; }
@media (max-width: 720px) { .cards { grid-template-columns: repeat(2, 1fr); } }
@media print {
  body { background: #fff; font-size: 11px; } main { max-width: none; padding: 0; }
  header, section, .card { border-radius: 0; break-inside: avoid; } section { border-width: 0 0 1px; padding: 8px 0; }
  td { overflow-wrap: anywhere; }
  table { font-size: 10px; } tr { break-inside: avoid; } thead { display: table-header-group; }
}
`;
