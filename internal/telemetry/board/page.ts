import { client } from './client.ts'

/** The resources of the page, for its Content-Security-Policy. Trusted Types forbid parsing text as HTML. */
export const SOURCES: Readonly<Record<string, readonly string[]>> = {
  ...{ scriptSrc: ["'self'"], styleSrc: ["'self'"], connectSrc: ["'self'"], formAction: ["'self'"], imgSrc: ['data:'] },
  requireTrustedTypesFor: ["'script'"],
}

const HTML = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Board</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/board.css">
<script defer src="/board.js"></script>
<header><h1 id="service">Board</h1><span id="state"></span>
<form role="search"><input type="search" name="q" maxlength="128" placeholder="Request id or trace id" aria-label="Request id or trace id" autocomplete="off" spellcheck="false"></form></header>
<main>
<noscript>The board needs JavaScript. /board.json has the same data.</noscript>
<p id="offline" role="status" hidden></p>
<section id="found" hidden><h2></h2><div class="card list"></div></section>
<ul id="findings" class="card" aria-label="Findings"></ul>
<div id="tiles"></div>
<section><h2>Routes <small>now, and over 15 minutes</small></h2><div class="card"><table><thead><tr><th scope="col">Route<th scope="col">Requests<th scope="col">Errors<th scope="col">P50<th scope="col">P99<th scope="col" class="wide">P99, 15 min</thead><tbody id="routes"></tbody></table></div></section>
<section><h2>Requests</h2><div role="group" aria-label="Order" id="tabs"><button value="slowest" aria-pressed="true">Slowest</button><button value="failed" aria-pressed="false">Failed</button><button value="latest" aria-pressed="false">Latest</button></div><div id="requests" class="card list"></div></section>
</main>
<footer>Kept in the memory of this instance, at most 4 MB. Percentiles are within 9 %. <a href="/metrics">/metrics</a></footer>
<template id="tile"><div class="card tile"><small data-part="name"></small><b data-part="now"></b><small data-part="recent"></small><span data-part="chart"></span></div></template>
<template id="panel"><div class="card panel"><h3 data-part="name"></h3><ul data-part="rows"></ul></div></template>
<template id="reading"><li><small data-part="name"></small><span data-part="chart"></span><b><span data-part="value"></span> <small data-part="limit"></small></b></template>
<template id="route"><tr><th scope="row" data-part="name"><td data-part="rate"><td data-part="failed"><td data-part="p50"><td data-part="p99"><td class="wide" data-part="chart"></template>
<template id="request"><details class="request"><summary><span data-part="status"></span><b data-part="name"></b><span data-part="text"></span><b data-part="duration"></b><small data-part="age"></small></summary><div data-part="body"></div></details></template>
<template id="entry"><div class="body"><div class="quiet" data-part="time"></div><div class="quiet">request <code data-part="request"></code> trace <code data-part="trace"></code></div><h3>Spans</h3><div data-part="spans"></div><h3>Log lines</h3><div data-part="lines"></div><div class="quiet" data-part="omitted"></div></div></template>
<template id="span"><details class="row"><summary><span data-part="name"></span><span class="track" data-part="bar"></span><span class="quiet" data-part="duration"></span></summary><pre data-part="body"></pre></details></template>
<template id="line"><details class="row line mono"><summary><span class="quiet" data-part="since"></span><span data-part="level"></span><span data-part="message"></span></summary><pre data-part="body"></pre></details></template>
`

const CSS = `
:root { color-scheme: light dark; --page: #f6f8fa; --card: #fff; --line: #d8dee4; --faint: #eef1f4; --text: #1f2328; --quiet: #59636e; --ok: #1a7f37; --fail: #cf222e; --warn: #9a6700; --accent: #0969da; --fill: #0969da1f; --own: #8250df; --other: #1b7c83 }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --card: #151b23; --line: #30363d; --faint: #1f262e; --text: #e6edf3; --quiet: #9198a1; --ok: #3fb950; --fail: #ff7b72; --warn: #d29922; --accent: #58a6ff; --fill: #58a6ff24; --own: #bc8cff; --other: #56d4dd } }
* { box-sizing: border-box }
[hidden] { display: none !important }
:focus-visible { outline: 2px solid var(--accent); outline-offset: -1px }
body { margin: 0 auto; padding: 1.25rem 1.5rem 2rem; max-width: 80rem; background: var(--page); color: var(--text); font: .875rem/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; margin-bottom: 1.25rem }
h1 { margin: 0; font-size: 1.25rem } h2 { margin: 0 0 .5rem; font-size: .9375rem } h3 { margin: 0 0 .25rem; font-size: .8125rem }
small, footer, .quiet, thead { color: var(--quiet); font-size: .75rem; font-weight: 400 }
a { color: var(--accent) } li a { white-space: nowrap }
ul { margin: 0; padding: 0; list-style: none }
code, pre, .mono { font: .75rem/1.5 ui-monospace, monospace }
pre { margin: .25rem 0 .5rem; padding: .5rem .75rem; background: var(--faint); border-radius: .375rem; white-space: pre-wrap }
section, #tiles, #findings, #offline { position: relative; margin: 0 0 1.25rem }
footer { border-top: 1px solid var(--line); padding-top: .75rem }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; overflow: hidden }
.ok { color: var(--ok) } .fail { color: var(--fail) } .warn { color: var(--warn) }
#state { display: flex; flex-wrap: wrap; gap: .375rem } #state span { padding: .0625rem .5rem; border: 1px solid; border-radius: 1rem; font-size: .75rem }
form { margin-left: auto; flex: 0 1 22rem }
input, button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: .375rem; padding: .375rem .625rem } input { width: 100% }
#offline { padding: .625rem 1rem; border: 1px solid; border-radius: .5rem; color: var(--fail) }
#findings { border-left: .25rem solid var(--fail) } #findings.calm { border-left-color: var(--ok) }
#findings li { padding: .5rem 1rem; display: flex; gap: .75rem; justify-content: space-between }
#findings li + li, .list > * + *, tbody tr > * { border-top: 1px solid var(--faint) }
#tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: .75rem }
.tile, .panel { padding: .75rem .875rem }
.tile b { margin-right: .5rem; font-size: 1.5rem; font-weight: 600 } .tile small:first-child { display: block } .tile svg { height: 2.5rem }
.panel li { display: grid; grid-template-columns: 7.5rem minmax(0, 1fr) 8.5rem; gap: .75rem; align-items: center; padding: .125rem 0 } .panel b { text-align: right; font-weight: 600 } .panel svg { height: 1.25rem }
svg { display: block; width: 100%; height: 1.75rem; overflow: visible }
path { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke; stroke-linejoin: round } path.bad { stroke: var(--fail) } path.area { fill: var(--fill); stroke: none } path.area.bad { fill: none }
table { width: 100%; border-spacing: 0 }
th, td { padding: .5rem .875rem; text-align: right; white-space: nowrap; font-weight: 500 } th:first-child { text-align: left; white-space: normal } td.wide { width: 22% } td small { display: block }
#tabs { display: flex; gap: .25rem; position: absolute; top: -.375rem; right: 0 }
#tabs button { padding: .125rem .625rem; border-color: transparent; background: none; color: var(--quiet); cursor: pointer } #tabs [aria-pressed=true] { background: var(--card); border-color: var(--line); color: var(--text) }
summary { cursor: pointer; list-style: none } summary::-webkit-details-marker { display: none } summary:hover, .request[open] > summary { background: var(--faint) }
.request > summary { display: grid; grid-template-columns: 3rem minmax(0, 2fr) minmax(0, 3fr) 4.5rem 5.5rem; gap: .75rem; align-items: baseline; padding: .5rem .875rem } .request > summary > :nth-last-child(-n + 2) { text-align: right }
.body { padding: .75rem .875rem 1rem } .body h3 { margin-top: .875rem } .empty { display: block; padding: .875rem; color: var(--quiet) }
.row > summary { display: grid; grid-template-columns: minmax(9rem, 26%) minmax(0, 1fr) 4.5rem; gap: .75rem; align-items: center; padding: .125rem .375rem; border-radius: .25rem } .row > summary > :last-child { text-align: right }
.line > summary { grid-template-columns: 4.5rem 3rem minmax(0, 1fr); align-items: baseline } .line > summary > :first-child { text-align: right } .line > summary > :last-child { text-align: left }
.track { height: .75rem; border-radius: .125rem; background: var(--faint) } .bar { display: block; height: 100%; min-width: 2px; border-radius: .125rem; background: var(--other) } .bar.server { background: var(--own) } .bar.client { background: var(--accent) } .bar.error { background: var(--fail) }
@media (max-width: 46rem) {
  body { padding: .875rem .75rem 1.5rem } form { flex: 1 0 100% } #tiles { grid-template-columns: 1fr; gap: .5rem } .wide { display: none }
  th, td { padding: .5rem .375rem } th:first-child { padding-left: .75rem } td:nth-child(5) { padding-right: .75rem }
  .request > summary { grid-template-columns: 2.25rem minmax(0, 1fr) auto; gap: .125rem .5rem } .request > summary > :nth-child(3) { grid-column: 2 / -1; grid-row: 2 } .request > summary > :nth-child(5) { display: none }
  .row > summary { grid-template-columns: minmax(0, 38%) minmax(0, 1fr) 3.75rem; gap: .375rem } .line > summary { grid-template-columns: 3.75rem 2.5rem minmax(0, 1fr) }
}
`

/** The files of the page by path: the media type and the text. */
export const FILES: ReadonlyMap<string, readonly [mediaType: string, text: string]> = new Map([
  ['/', ['text/html', HTML]],
  ['/board.css', ['text/css', CSS]],
  ['/board.js', ['text/javascript', `(${client})()`]],
])
