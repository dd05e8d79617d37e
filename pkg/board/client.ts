// @ts-nocheck The browser runs this function, and the types of this project are those of Node.

/** The script of the page. It is served as text, so it uses no variable of this module. */
export function client() {
  const POLL_MS = 2_000
  const LISTS = ['slowest', 'failed', 'latest']
  const query = new URLSearchParams(location.search).get('q')?.trim()
  let chosen = 'slowest'
  let state = null

  const find = (selector) => document.querySelector(selector)

  /** Creates an element. Texts become text nodes, so no value is ever parsed as HTML. */
  function h(name, className, ...children) {
    const element = document.createElement(name)
    if (className) element.className = className
    element.append(...children.filter((child) => child !== undefined && child !== ''))
    return element
  }

  const number = (value) => (value >= 100 ? Math.round(value) : Number(value.toPrecision(2))).toLocaleString('en')
  function format(value, unit) {
    if (value === null) return '–'
    if (unit === 'bytes') return `${number(value / 1e6)} MB`
    if (unit === 'percent') return `${number(value * 100)} %`
    if (unit === 'ms') return value < 1_000 ? `${number(value)} ms` : `${number(value / 1e3)} s`
    return `${number(value)}${unit}`
  }
  function ago(time) {
    const seconds = Math.max(0, Math.round((state.now - time) / 1e3))
    return seconds < 90 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`
  }

  /** Draws the values that are not null as a line over an area. */
  function sparkline(values, className = '') {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
    const top = Math.max(...values) || 1
    const points = values.flatMap((value, x) => (value === null ? [] : [[x, (28 - (26 * value) / top).toFixed(1)]]))
    const line = `M${points.join('L')}`
    const area = `${line}V28H${points[0]?.[0]}z`
    for (const [name, shape] of points.length > 0
      ? [
          [`area ${className}`, area],
          [className, line],
        ]
      : []) {
      const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
      path.setAttribute('d', shape)
      path.setAttribute('class', name)
      svg.append(path)
    }
    svg.setAttribute('viewBox', `0 0 ${Math.max(1, values.length - 1)} 28`)
    svg.setAttribute('preserveAspectRatio', 'none')
    svg.setAttribute('aria-hidden', 'true')
    return svg
  }

  function tile(name, unit, key, { now, recent }, values, className) {
    const note = h('small', '', `15 min: ${format(recent[key], unit)}`)
    return h(
      'div',
      'card tile',
      h('small', '', name),
      h('b', '', format(now[key], unit)),
      note,
      sparkline(values, className),
    )
  }

  function renderTiles({ total, panels }) {
    const [rates, shares, p99s] = [0, 1, 2].map((index) => total.slots.map((slot) => slot[index]))
    const tiles = [
      tile('Requests', ' /s', 'rate', total, rates),
      tile('Errors', 'percent', 'failed', total, shares, 'bad'),
      tile('P99', 'ms', 'p99', total, p99s),
    ]
    const cards = Object.entries(Object.groupBy(panels, ({ panel }) => panel)).map(([panel, readings]) => {
      const rows = readings.map(({ name, value, unit, limit, values }) =>
        h(
          'li',
          '',
          h('small', '', name),
          sparkline(values),
          h('b', '', format(value, unit), h('small', '', limit && ` of ${format(limit, unit)}`)),
        ),
      )
      return h('div', 'card panel', h('h3', '', panel), h('ul', '', ...rows))
    })
    find('#tiles').replaceChildren(...tiles, ...cards)
  }

  const cell = (now, recent) => h('td', '', now, h('small', '', recent))
  function renderRoutes({ routes }) {
    const rows = routes.map(({ name, now, recent, slots }) => {
      const chart = h('td', 'wide', sparkline(slots.map((slot) => slot[2])))
      const errors = cell(format(now.failed, 'percent'), format(recent.failed, 'percent'))
      if (now.failed > 0) errors.classList.add('fail')
      return h(
        'tr',
        '',
        h('th', '', name),
        cell(format(now.rate, ' /s'), format(recent.rate, ' /s')),
        errors,
        cell(format(now.p50, 'ms'), format(recent.p50, 'ms')),
        cell(format(now.p99, 'ms'), format(recent.p99, 'ms')),
        chart,
      )
    })
    find('#routes').replaceChildren(...rows)
  }

  function link(requestId, text) {
    const a = h('a', '', text)
    a.href = `/?q=${encodeURIComponent(requestId)}`
    return a
  }

  function renderState({ service, version, phase, checks, findings }) {
    document.title = `${findings.length > 0 ? `(${findings.length}) ` : ''}${service}`
    find('#service').replaceChildren(service, ' ', h('small', '', version))
    const pill = (name, isOk) => h('span', `pill ${isOk ? 'ok' : 'fail'}`, `${isOk ? '✓' : '✗'} ${name}`)
    const pills = Object.entries(checks).map(([name, { status, reason }]) =>
      pill(reason ? `${name}: ${reason}` : name, status === 'ok'),
    )
    find('#state').replaceChildren(pill(phase, phase === 'serving'), ...pills)
    const rows = findings.map(({ text, requestId }) =>
      h('li', '', h('span', '', text), requestId && link(requestId, 'Show')),
    )
    find('#findings').className = `card ${rows.length === 0 ? 'calm' : ''}`
    find('#findings').replaceChildren(...(rows.length > 0 ? rows : [h('li', '', 'No findings in the last minute.')]))
  }

  /** Orders the spans as a tree. Returns pairs of a span and its depth. */
  function tree(spans) {
    const ids = new Set(spans.map(({ spanId }) => spanId))
    const sorted = [...spans].sort((a, b) => a.startedAt - b.startedAt)
    const below = (parents, depth) =>
      parents.flatMap((span) => [
        [span, depth],
        ...below(
          sorted.filter((each) => each.parentId === span.spanId && each !== span),
          depth + 1,
        ),
      ])
    return below(
      sorted.filter(({ parentId }) => !ids.has(parentId)),
      0,
    )
  }

  function details(className, summary, body) {
    const element = h('details', className, h('summary', '', ...summary))
    element.addEventListener('toggle', () => element.open && element.childElementCount === 1 && element.append(body()))
    return element
  }

  function renderSpan([span, depth], start, duration) {
    const bar = h('div', `bar ${span.error ? 'error' : span.kind}`)
    // The policy forbids style attributes, but not these properties.
    bar.style.marginLeft = `${Math.min(99.5, (100 * (span.startedAt - start)) / duration)}%`
    bar.style.width = `${Math.min(100, (100 * span.durationMs) / duration)}%`
    const name = h('span', span.error ? 'fail' : '', span.name)
    name.style.paddingLeft = `${depth * 0.75}rem`
    const body = () =>
      h(
        'pre',
        '',
        [
          span.error,
          ...Object.entries(span.attributes).map(([key, value]) => `${key}: ${value}`),
          `span: ${span.spanId}`,
        ]
          .filter(Boolean)
          .join('\n'),
      )
    return details('row', [name, h('div', 'track', bar), h('span', 'quiet', format(span.durationMs, 'ms'))], body)
  }

  function renderLine(text, start) {
    let fields = {}
    try {
      fields = JSON.parse(text)
    } catch {
      fields = { message: text }
    }
    const level = fields['log.level'] ?? ''
    const since = fields['@timestamp'] ? `+${Math.max(0, Date.parse(fields['@timestamp']) - Math.floor(start))} ms` : ''
    const className = /error|fatal/.test(level) ? 'fail' : level === 'warn' ? 'warn' : 'quiet'
    const summary = [
      h('span', 'quiet', since),
      h('span', className, level),
      h('span', '', String(fields.message ?? text)),
    ]
    return details('row line mono', summary, () => h('pre', '', JSON.stringify(fields, null, 2)))
  }

  function renderEntry({ requests, spans, lines, omitted }) {
    const start = Math.min(...spans.map(({ startedAt }) => startedAt))
    const duration = Math.max(...spans.map(({ startedAt, durationMs }) => startedAt + durationMs)) - start
    const { requestId, traceId, path, error, startedAt } = requests.at(-1)
    return h(
      'div',
      'body',
      h('div', 'quiet', `${new Date(startedAt).toISOString()} ${path}`),
      h(
        'div',
        'quiet',
        'request ',
        h('code', '', link(requestId, requestId)),
        ' trace ',
        h('code', '', link(traceId, traceId)),
      ),
      error && h('div', 'fail', error),
      h('h3', '', 'Spans'),
      ...tree(spans).map((row) => renderSpan(row, start, duration || 1)),
      h('h3', '', 'Log lines'),
      ...lines.map((line) => renderLine(line, start)),
      lines.length === 0 ? h('div', 'quiet', 'No log lines.') : '',
      omitted > 0 ? h('div', 'quiet', `${omitted} more spans and lines did not fit.`) : '',
    )
  }

  const load = async (path) => (await fetch(path, { signal: AbortSignal.timeout(5_000) })).json()

  function renderRequest(request) {
    const { requestId, name, status, durationMs, isFailed, cause } = request
    const element = details(
      'request',
      [
        h('span', isFailed ? 'fail' : 'ok', status || '–'),
        h('b', '', name),
        h('span', isFailed ? 'fail' : '', request.error ?? cause),
        h('b', '', format(durationMs, 'ms')),
        h('small', ''),
      ],
      () => {
        const body = h('div', '', h('p', 'empty', 'Loading…'))
        load(`/board.json?q=${encodeURIComponent(requestId)}`).then(
          ({ found }) =>
            body.replaceChildren(
              ...(found.length > 0 ? found.map(renderEntry) : [h('p', 'empty', 'No longer in memory.')]),
            ),
          () => element.lastChild.remove(),
        )
        return body
      },
    )
    element.request = request
    return element
  }

  /** Shows a list and keeps the elements of its earlier requests, so that they stay open. */
  function renderList(list, requests, none) {
    const old = new Map([...list.children].map((element) => [element.request?.spanId, element]))
    const elements = requests.map((request) => old.get(request.spanId) ?? renderRequest(request))
    const isSame =
      elements.length === list.children.length && elements.every((each, index) => each === list.children[index])
    if (elements.length === 0) list.replaceChildren(h('p', 'empty', none))
    else if (!isSame) list.replaceChildren(...elements)
    for (const element of elements) element.firstChild.lastChild.textContent = ago(element.request.startedAt)
  }

  async function renderFound() {
    if (!query || find('#found details')) return
    const { found } = await load(`/board.json?q=${encodeURIComponent(query)}`)
    find('#found').hidden = false
    find('#found h2').textContent = `Requests of ${query}`
    renderList(
      find('#found > div'),
      found.flatMap(({ requests }) => requests),
      'Not in memory. The board keeps the slowest, the failed and the latest requests of this instance. Search the log.',
    )
    for (const element of document.querySelectorAll('#found details.request')) element.open = true
  }

  function render() {
    renderState(state)
    renderTiles(state)
    renderRoutes(state)
    renderList(find('#requests'), state[chosen], chosen === 'failed' ? 'No failed requests.' : 'No requests yet.')
  }

  async function poll() {
    try {
      if (!document.hidden) {
        state = await load('/board.json')
        render()
        await renderFound()
        find('#offline').hidden = true
      }
    } catch {
      const since = state ? ` since ${new Date(state.now).toLocaleTimeString()}` : ''
      find('#offline').textContent = `No response from this instance${since}. Trying again.`
      find('#offline').hidden = false
    }
    setTimeout(poll, POLL_MS)
  }

  find('input').value = query ?? ''
  for (const [index, button] of [...find('#tabs').children].entries()) {
    button.setAttribute('aria-pressed', index === 0)
    button.addEventListener('click', () => {
      chosen = LISTS[index]
      for (const each of find('#tabs').children) each.setAttribute('aria-pressed', each === button)
      if (state) render()
    })
  }
  poll()
}
