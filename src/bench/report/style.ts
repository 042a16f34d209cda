/** The page's style sheet. Nothing is loaded: fonts are those of the system. */
import { DARK, LIGHT, themeProperties } from "./colours.js";

const SERIES = LIGHT.series.map((_, i) => `.c${i}{--c:var(--s${i})}`).join("");

export const STYLE = `
:root{color-scheme:light dark;${themeProperties(LIGHT)}}
@media (prefers-color-scheme:dark){:root{${themeProperties(DARK)}}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:62rem;background:var(--background);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{margin:0;font-size:1.7rem;line-height:1.2}
h2{margin:2.75rem 0 .5rem;font-size:1.2rem}
p{margin:.4rem 0}
a{color:inherit}
.sub,.note,figcaption,caption{color:var(--muted)}
.note,caption{font-size:.85rem}
.warnings{list-style:none;margin:1.25rem 0 0;padding:0;display:grid;gap:.5rem}
.warnings li{padding:.6rem .9rem;border-left:4px solid;border-radius:4px}
.warnings .bad{background:var(--badPanel);color:var(--bad)}
.warnings .doubt{background:var(--doubtPanel);color:var(--doubt)}
.warnings .cases{display:block;font-size:.85rem}
.fine{margin:1.25rem 0 0;color:var(--muted)}
.best{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.75rem;margin:1.5rem 0 0;padding:0;list-style:none}
.best li{padding:.8rem 1rem;background:var(--panel);border-radius:8px}
.best .note{display:block}
.best b{display:block;font-size:1.4rem;font-variant-numeric:tabular-nums}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.25rem;margin:.5rem 0;font-size:.9rem}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}
pre{margin:.5rem 0;padding:.7rem .9rem;background:var(--panel);border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem}
figure{margin:1rem 0 1.75rem}
figcaption{margin-bottom:.25rem;font-weight:600}
figure>svg{display:block;width:100%;height:auto}
.grid{stroke:var(--grid);stroke-width:1}
.base{stroke:var(--muted);stroke-width:1}
.tick,.axis,.point,.figure,.inside{font-size:12px;fill:var(--muted)}
.axis{font-size:13px}
.figure,.inside,.point{font-variant-numeric:tabular-nums}
.figure{fill:var(--text)}
.point{font-size:11px}
.inside{fill:var(--inside)}
.line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}
.dashed{stroke-dasharray:5 4;stroke-width:1.5}
.mark{fill:var(--c);stroke:var(--background);stroke-width:1}
.bars rect{fill:var(--c)}
${SERIES}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;margin:.5rem 0 0;padding:0;list-style:none;font-size:.9rem}
.swatch{width:30px;height:16px;margin-right:.4rem;vertical-align:-3px}
.block{display:inline-block;width:13px;height:13px;margin-right:.4rem;border-radius:2px;background:var(--c);vertical-align:-1px}
.wide{overflow-x:auto;margin-top:.5rem;position:relative;left:50%;width:min(96vw,80rem);transform:translateX(-50%)}
table{border-collapse:collapse;margin:0 auto;font-size:.82rem;font-variant-numeric:tabular-nums;white-space:nowrap}
caption{text-align:left;padding:0 0 .4rem}
th,td{padding:.3rem .5rem;border-bottom:1px solid var(--grid);text-align:left}
thead th{color:var(--muted);font-weight:600}
.right{text-align:right}
.attention{color:var(--bad);font-weight:600}
details{margin:.75rem 0}
summary{cursor:pointer}
@media (max-width:40rem){.tick,.axis,.figure,.inside,.point{font-size:16px}}
@media print{body{max-width:none}figure,table{break-inside:avoid}}
`;
