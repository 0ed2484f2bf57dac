/** The style sheet of the page: system fonts, tabular numerals, light and dark by preference, ink on white in print. */
export const style = `
:root {
  color-scheme: light;
  --paper: #fdfdfc; --raised: #f5f5f3; --ink: #1b1d20; --muted: #686d75; --line: #e3e3df;
  --accent: #0a63b0; --accent-soft: #e6f0fa; --alarm: #b3261e; --shade: rgb(0 0 0 / 0.13);
  --tile: 96px;
  --sans: -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, system-ui, sans-serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "Liberation Mono", monospace;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark;
    --paper: #131416; --raised: #1c1e21; --ink: #e6e6e3; --muted: #999ea6; --line: #2d3034;
    --accent: #75b5f5; --accent-soft: #14283c; --alarm: #f28b82; --shade: rgb(0 0 0 / 0.7);
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 72px; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 var(--sans); font-variant-numeric: tabular-nums; }
main, header, nav { max-width: 1320px; margin: 0 auto; padding: 0 40px; }
header { padding-top: 56px; }
main { padding-bottom: 96px; }
h1 { margin: 0 0 10px; font-size: 34px; line-height: 1.15; font-weight: 650; letter-spacing: -0.02em; }
h2 { margin: 72px 0 6px; font-size: 23px; line-height: 1.25; font-weight: 650; letter-spacing: -0.012em; }
h3 { margin: 36px 0 10px; font-size: 16px; font-weight: 620; }
p { margin: 0 0 12px; max-width: 74ch; }
a { color: var(--accent); text-underline-offset: 3px; text-decoration-thickness: 1px; }
.eyebrow { margin: 0 0 10px; color: var(--muted); font-size: 13px; }
.lead, .hint { color: var(--muted); }
.lead { font-size: 16px; }
.hint { font-size: 13.5px; margin-bottom: 16px; max-width: 92ch; }
main > .hint { margin-top: 20px; }
.about { display: block; color: var(--muted); font-size: 12.5px; font-weight: 400; line-height: 1.4; }
td .about { white-space: normal; }
.nowrap { white-space: nowrap; }
.sigma { color: var(--muted); font-weight: 400; margin-left: 0.4em; white-space: nowrap; }
.sigma sub { font-size: 0.75em; line-height: 0; }
pre { margin: 18px 0; padding: 12px 16px; background: var(--raised); border-radius: 8px; overflow-x: auto; font: 13.5px/1.5 var(--mono); }
pre code { font: inherit; user-select: all; }
nav { padding-top: 6px; padding-bottom: 14px; }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 22px; margin: 0; padding: 14px 0 0; border-top: 1px solid var(--line); list-style: none; font-size: 14px; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
.verdicts { margin: 10px 0 18px; padding: 0; list-style: none; max-width: 90ch; }
.verdicts b { font-weight: 620; margin-right: 0.5em; }

.scroll {
  overflow-x: auto; margin: 0 -12px;
  background: linear-gradient(to left, var(--paper) 30%, transparent) right / 48px 100% local no-repeat,
    linear-gradient(to left, var(--shade), transparent) right / 16px 100% scroll no-repeat;
}
.scroll.tall { max-height: 560px; overflow-y: auto; }
table { border-collapse: separate; border-spacing: 0; min-width: 100%; font-size: 14px; }
th, td { padding: 8px 12px; border-bottom: 1px solid var(--line); text-align: right; vertical-align: baseline; white-space: nowrap; }
th { font-weight: 500; }
thead th { color: var(--muted); font-size: 12.5px; vertical-align: bottom; }
thead th[data-column] { white-space: normal; }
thead th.group { color: var(--ink); font-size: 14px; font-weight: 620; text-align: left; border-bottom: 0; padding-bottom: 0; padding-left: 28px; }
.direction, .unit { color: var(--muted); font-weight: 400; }
.first, thead th.group + th { padding-left: 28px; }
th:first-child { text-align: left; position: sticky; left: 0; z-index: 1; background: var(--paper); }
thead tr:nth-child(2) th:first-child { text-align: right; position: static; }
tbody tr:hover > * { background: var(--raised); }
tbody th .label { font-weight: 620; overflow-wrap: anywhere; }
tbody th { white-space: normal; min-width: 130px; max-width: 280px; }
th button { all: unset; position: relative; cursor: pointer; border-radius: 3px; }
th button:hover { color: var(--ink); }
th button:focus-visible, a:focus-visible, .scored:focus-visible, .scrubber :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
th[data-column] button::after { content: "↓"; position: absolute; left: 100%; padding-left: 2px; font-size: 11px; opacity: 0; }
th[data-column] button:hover::after { opacity: 0.35; }
th[aria-sort] { color: var(--ink); }
th[aria-sort] button::after { opacity: 1 !important; }
th[aria-sort="ascending"] button::after { content: "↑"; }
.ci { color: var(--muted); }
.score { font-weight: 500; }
.score .ci { font-weight: 400; }
.best { color: var(--accent); font-weight: 650; }
.winner { margin-right: 8px; padding: 1px 7px 2px; border-radius: 99px; background: var(--accent-soft); font-size: 11.5px; font-weight: 620; }
.tie { color: var(--muted); }
.failed { display: block; font-size: 12.5px; }
.failed, .alarm { color: var(--alarm); }
.skipped th .label { font-weight: 500; color: var(--muted); }
td.reason { padding-left: 28px; text-align: left; white-space: normal; color: var(--muted); }
td.text { text-align: left; white-space: normal; }
table.failures thead th { text-align: left; }
table.failures td { text-align: left; }
.scroll.tall thead { position: sticky; top: 0; z-index: 2; background: var(--paper); }
.scroll.tall thead th { background: var(--paper); }
table.scores thead th[data-column] { min-width: 76px; max-width: 150px; overflow-wrap: anywhere; line-height: 1.35; }
table.scores th, table.scores td { padding-top: 4px; padding-bottom: 4px; }

.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 8px 40px; margin: 24px 0 0; }
figure { margin: 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 12px 0 0; padding: 0; list-style: none; font-size: 13px; }
.legend li { display: flex; align-items: center; gap: 7px; }
.absent { margin: 10px 0 0; padding-left: 18px; color: var(--muted); font-size: 13px; max-width: 92ch; }
.figures.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 270px), 1fr)); gap: 18px 28px; margin-top: 12px; }
.signal-name { margin: 22px 0 0; color: var(--muted); }
.figures figcaption { font-size: 13px; font-weight: 600; }
.plot { display: block; width: 100%; max-width: 620px; height: auto; margin-top: 4px; font-family: var(--sans); overflow: visible; color: var(--ink); }

img { image-rendering: pixelated; display: block; width: var(--tile); height: auto; border-radius: 4px; background: var(--raised); }
table.pictures { min-width: 0; }
table.pictures th, table.pictures td { border: 0; padding: 5px 6px; text-align: left; vertical-align: top; min-width: 0; max-width: none; }
table.pictures thead th { vertical-align: bottom; color: var(--ink); font-size: 13px; max-width: calc(var(--tile) + 12px); white-space: normal; overflow-wrap: anywhere; line-height: 1.3; }
table.pictures tbody tr:hover > * { background: var(--paper); }
table.pictures th:first-child { padding-left: 12px; padding-right: 14px; }
table.pictures th.kind { padding: 6px 12px 0 6px; font-size: 13px; font-weight: 500; white-space: normal; width: 92px; position: static; }
div.top { max-width: 1320px; margin: 0 auto; padding: 10px 40px 14px; }
table.glance th.kind { width: 128px; padding-left: 12px; }
table.glance td figcaption { margin-top: 2px; color: var(--muted); font-size: 12px; }
table.uncertainty tbody + tbody tr:first-child > * { padding-top: 18px; }
th figcaption { margin-top: 3px; max-width: var(--tile); color: var(--muted); font-size: 12px; font-weight: 400; line-height: 1.3; overflow-wrap: anywhere; white-space: normal; }
.none { display: grid; place-content: center; width: var(--tile); height: var(--tile); border: 1px dashed var(--line); border-radius: 4px; color: var(--muted); font-size: 12px; }
.scored { position: relative; width: var(--tile); border-radius: 4px; }
.scored figcaption { position: absolute; inset: auto 0 0 0; display: flex; flex-direction: column; padding: 3px 6px 4px; border-radius: 0 0 4px 4px; background: rgb(12 13 15 / 0.82); color: #f4f4f2; font-size: 11.5px; line-height: 1.4; opacity: 0; pointer-events: none; }
.scored figcaption span { display: flex; justify-content: space-between; }
.scored figcaption b { font-weight: 600; }
.scored:hover figcaption, .scored:focus-visible figcaption { opacity: 1; }

.scrubber { position: sticky; top: 0; z-index: 3; display: flex; align-items: center; gap: 14px; padding: 12px 0; background: var(--paper); border-bottom: 1px solid var(--line); font-size: 14px; }
.scrubber[hidden] { display: none; }
.scrubber input { flex: 1; max-width: 520px; accent-color: var(--accent); }
.scrubber button { width: 64px; padding: 4px 0; border: 1px solid var(--line); border-radius: 6px; background: var(--raised); color: inherit; font: inherit; cursor: pointer; }
.scrubber output { color: var(--muted); min-width: 5em; }
.film { margin: 0 0 32px; }
.film-head { display: flex; align-items: center; gap: 8px; margin-bottom: 10px; font-weight: 560; }
.film-head img { width: 44px; }
.film-head > span { padding-left: 4px; }
.strip { display: grid; grid-template-columns: 140px var(--tile) minmax(0, 1fr); gap: 24px; align-items: center; padding: 8px 0; border-top: 1px solid var(--line); }
.strip-label { font-size: 14px; font-weight: 560; overflow-wrap: anywhere; }
.frames { display: flex; gap: 6px; margin: 0; padding: 0; list-style: none; }
.frames li { flex: 1 1 0; min-width: 0; max-width: 96px; color: var(--muted); font-size: 11.5px; text-align: center; cursor: pointer; white-space: nowrap; }
.frames img { width: 100%; margin-bottom: 3px; border-radius: 3px; outline: 2px solid transparent; outline-offset: 1px; }
.frames .current { color: var(--ink); }
.frames .current img { outline-color: var(--accent); }

details { margin-top: 72px; border-top: 1px solid var(--line); padding-top: 18px; }
summary { cursor: pointer; }
summary h2 { display: inline; margin: 0 0 0 4px; }
dl { display: grid; grid-template-columns: minmax(140px, max-content) minmax(0, 1fr); gap: 6px 28px; margin: 18px 0 0; font-size: 14px; }
dt { color: var(--muted); }
dd { margin: 0; font: 13px/1.6 var(--mono); overflow-wrap: anywhere; }

@media (max-width: 900px) {
  main, header, nav, div.top { padding-left: 24px; padding-right: 24px; }
  header { padding-top: 36px; }
  h1 { font-size: 28px; }
  h2 { margin-top: 56px; }
  .strip { grid-template-columns: 84px 96px minmax(0, 1fr); gap: 14px; }
  .now img { width: 96px; }
  .summary th, .summary td { padding-left: 7px; padding-right: 7px; }
  .summary th:first-child, .summary tbody th { min-width: 104px; padding-left: 12px; }
  .summary .first, .summary thead th.group, .summary thead th.group + th, .summary td.reason { padding-left: 16px; }
  .summary tr > :last-child { padding-right: 12px; }
  .frames { gap: 4px; }
  .frames li { font-size: 10.5px; }
}
@media print {
  body { zoom: 0.72; }
  main, header, nav, div.top { max-width: none; padding-left: 0; padding-right: 0; }
  nav, .scrubber { display: none; }
  .scroll, .scroll.tall { overflow: visible; max-height: none; background: none; }
  th:first-child, .scroll.tall thead { position: static; }
  h2, h3 { break-after: avoid; }
  tr, figure, .strip, .film-head { break-inside: avoid; }
  .scored figcaption { position: static; opacity: 1; background: none; color: inherit; padding: 2px 0; }
  th button::after { content: none !important; }
  * { print-color-adjust: exact; }
}
`;
