/**
 * How the page looks. It is part of the page, so that nothing else has to be fetched.
 *
 * @module
 */

/** The style sheet. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ink: #1d2329;
  --soft: #56606b;
  --paper: #ffffff;
  --panel: #f5f6f8;
  --line: #dfe3e8;
  --link: #0a58a8;
  --good: #1a7a36;
  --bad: #b3261e;
  --bad-panel: #fdf3f2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e4e8ec;
    --soft: #9ca6b1;
    --paper: #15181c;
    --panel: #1d2126;
    --line: #30363d;
    --link: #80bbff;
    --good: #56c474;
    --bad: #ff9086;
    --bad-panel: #2a1d1d;
  }
}
* { box-sizing: border-box; }
body {
  max-width: 78rem;
  margin: 0 auto;
  padding: 2rem 1.5rem 3rem;
  background: var(--paper);
  color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif;
  font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere;
}
a { color: var(--link); }
a:focus-visible, input:focus-visible, button:focus-visible {
  outline: 2px solid var(--link);
  outline-offset: 2px;
}
h1, h2, h3, p, dl, dd, ul { margin: 0; padding: 0; }
h1 { font-size: 1.6rem; font-weight: 600; line-height: 1.25; }
h2 { font-size: 1.15rem; font-weight: 600; }
h3 { font-size: 1rem; font-weight: 600; }
code { font: 0.875em ui-monospace, "DejaVu Sans Mono", monospace; }
.soft { color: var(--soft); }
.small { font-size: 0.875rem; }
.name { color: var(--soft); font-size: 0.875rem; letter-spacing: 0.02em; }
.state::before {
  content: "";
  display: inline-block;
  width: 0.6em;
  height: 0.6em;
  margin-right: 0.45em;
  border-radius: 50%;
  background: var(--good);
}
.state.wrong::before { background: var(--bad); }
.bad { color: var(--bad); }

.problems { display: grid; gap: 0.75rem; margin-top: 1.25rem; list-style: none; }
.problems > li {
  padding: 0.9rem 1.1rem;
  border-left: 4px solid var(--bad);
  border-radius: 0 6px 6px 0;
  background: var(--bad-panel);
}
.problems p, .problems .reasons { margin-top: 0.35rem; }
.reasons { padding-left: 1.1rem; font-size: 0.875rem; color: var(--soft); }

.facts {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(min(12rem, 100%), 1fr));
  gap: 1px;
  margin-top: 1.5rem;
  overflow: hidden;
  border: 1px solid var(--line);
  border-radius: 8px;
  background: var(--line);
}
.facts > div { padding: 0.8rem 1.1rem; background: var(--panel); }
.facts dt { color: var(--soft); font-size: 0.875rem; }
.facts .value { font-size: 1.15rem; font-weight: 600; }

.heading {
  display: flex;
  flex-wrap: wrap;
  align-items: baseline;
  gap: 0.5rem 1.5rem;
  margin: 2.25rem 0 0.75rem;
}
form { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1rem; margin-left: auto; }
form label { display: flex; align-items: center; gap: 0.45rem; }
input[type="search"], button {
  font: inherit;
  color: inherit;
  padding: 0.3rem 0.65rem;
  border: 1px solid var(--soft);
  border-radius: 6px;
  background: var(--paper);
}
input[type="search"] { width: 11rem; }
button { background: var(--panel); cursor: pointer; }

table { width: 100%; border-collapse: collapse; }
th, td { padding: 0.55rem 1.5rem 0.55rem 0; text-align: left; vertical-align: top; }
th {
  color: var(--soft);
  font-size: 0.875rem;
  font-weight: 400;
  white-space: nowrap;
  border-bottom: 1px solid var(--line);
}
td { border-bottom: 1px solid var(--line); }
.number { text-align: right; white-space: nowrap; }
td.number, td.brief { white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
td.device { min-width: 11rem; font-weight: 600; }
td.device p { margin-top: 0.15rem; max-width: 34rem; font-weight: 400; font-size: 0.875rem; }
.pages { display: flex; gap: 1.5rem; margin-top: 1rem; }
footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--line); }

@media (max-width: 62rem) {
  body { padding: 1.25rem 1rem 2rem; }
  form { margin-left: 0; }
  .facts { grid-template-columns: 1fr 1fr; }
  .facts > :first-child, .facts > :last-child:nth-child(even) { grid-column: 1 / -1; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody { display: block; }
  tr {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr));
    gap: 0.35rem 1rem;
    padding: 0.9rem 0;
    border-bottom: 1px solid var(--line);
  }
  thead tr { display: block; }
  td { padding: 0; border: 0; }
  td.number { text-align: left; }
  td.device { grid-column: 1 / -1; }
  td[data-name]::before {
    content: attr(data-name);
    display: block;
    color: var(--soft);
    font-size: 0.8125rem;
  }
}
`;
