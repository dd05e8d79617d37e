// @ts-nocheck The browser runs this function, but this project has only the types of Node.

/** The script of the page. It is served as text, so it uses no variable of this module. */
export function client() {
  const POLL_MS = 2_000
  const query = new URLSearchParams(location.search).get('q')?.trim()
  let chosen = 'slowest'
  let state = null

  const find = (selector) => document.querySelector(selector)

  /** Copies a template and fills its elements. Texts become text nodes, so no value is parsed as HTML. */
  function make(template, parts) {
    const element = find(`#${template}`).content.firstElementChild.cloneNode(true)
    for (const part of element.querySelectorAll('[data-part]')) part.append(...[parts[part.dataset.part] ?? []].flat())
    return element
  }
  function span(className, ...children) {
    const element = document.createElement('span')
    element.className = className
    element.append(...children)
    return element
  }
  function link(id, text = id) {
    const element = document.createElement('a')
    element.href = `/?q=${encodeURIComponent(id)}`
    element.append(text)
    return element
  }

  const round = (value) =>
    Number(value.toPrecision(value < 100 ? 2 : 4)).toLocaleString('en', { maximumFractionDigits: 2 })
  function format(value, unit) {
    if (value === null) return '–'
    if (unit === 'bytes') return `${round(value / 1e6)} MB`
    if (unit === 'percent') return `${round(value * 100)} %`
    return unit === 'ms' && value >= 1_000 ? `${round(value / 1e3)} s` : `${round(value)} ${unit}`
  }
  /** The name of a request without a route is its method. */
  const label = (name) => (name.includes(' ') ? name : `${name} (no route)`)
  function formatAge(time) {
    const seconds = Math.max(0, Math.round((state.now - time) / 1e3))
    return seconds < 90 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`
  }

  /** Draws the values that are not null as a line over an area. */
  function sparkline(values, className = '') {
    const create = (name, attributes) => {
      const element = document.createElementNS('http://www.w3.org/2000/svg', name)
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
      return element
    }
    const top = Math.max(...values) || 1
    const points = values.flatMap((value, x) =>
      value === null ? [] : [`${x} ${(28 - (26 * value) / top).toFixed(1)}`],
    )
    const box = `0 0 ${Math.max(1, values.length - 1)} 28`
    const svg = create('svg', { viewBox: box, preserveAspectRatio: 'none', 'aria-hidden': 'true' })
    if (points.length === 0) return svg
    const line = `M${points.join('L')}`
    const area = `${line}V28H${points[0].split(' ')[0]}z`
    svg.append(create('path', { class: `area ${className}`, d: area }), create('path', { class: className, d: line }))
    return svg
  }

  function renderState({ service, version, phase, checks, findings }) {
    document.title = `${findings.length > 0 ? `(${findings.length}) ` : ''}${service}`
    const small = document.createElement('small')
    small.append(version)
    find('#service').replaceChildren(service, ' ', small)
    const pill = (text, isOk) => span(isOk ? 'ok' : 'fail', isOk ? '✓ ' : '✗ ', text)
    const pills = Object.entries(checks).map(([name, { status, reason }]) =>
      pill(reason ? `${name}: ${reason}` : name, status === 'ok'),
    )
    find('#state').replaceChildren(pill(phase, phase === 'serving'), ...pills)
    const rows = findings.map(({ text, requestId }) => [span('', text), requestId ? link(requestId, 'Show') : ''])
    const items = (rows.length > 0 ? rows : [['No findings in the last minute.']]).map((parts) => {
      const item = document.createElement('li')
      item.append(...parts)
      return item
    })
    find('#findings').classList.toggle('calm', rows.length === 0)
    find('#findings').replaceChildren(...items)
  }

  function renderNumbers({ total, routes, panels }) {
    const series = (slots, index) => slots.map((slot) => slot[index])
    const tile = (name, unit, key, chart) => {
      const [now, recent] = [total.now[key], total.recent[key]].map((value) => format(value, unit))
      return make('tile', { name, now, recent: `15 min: ${recent}`, chart })
    }
    const readings = ({ name, value, unit, limit, values }) =>
      make('reading', {
        name,
        value: format(value, unit),
        limit: limit && `of ${format(limit, unit)}`,
        chart: sparkline(values),
      })
    find('#tiles').replaceChildren(
      tile('Requests', '/s', 'rate', sparkline(series(total.slots, 0))),
      tile('Errors', 'percent', 'failed', sparkline(series(total.slots, 1), 'bad')),
      tile('P99', 'ms', 'p99', sparkline(series(total.slots, 2))),
      ...Object.entries(Object.groupBy(panels, ({ panel }) => panel)).map(([name, group]) =>
        make('panel', { name, rows: group.map(readings) }),
      ),
    )
    const rows = routes.map(({ name, now, recent, slots }) => {
      const cell = (key, unit) => {
        const small = document.createElement('small')
        small.append(format(recent[key], unit))
        return [span(key === 'failed' && now.failed > 0 ? 'fail' : '', format(now[key], unit)), small]
      }
      const cells = {
        rate: cell('rate', '/s'),
        failed: cell('failed', 'percent'),
        p50: cell('p50', 'ms'),
        p99: cell('p99', 'ms'),
      }
      return make('route', { name: label(name), ...cells, chart: sparkline(series(slots, 2)) })
    })
    find('#routes').replaceChildren(...rows)
  }

  /** Orders spans as a tree. Returns pairs of a span and its depth. */
  function listTree(spans) {
    const ids = new Set(spans.map(({ spanId }) => spanId))
    const below = (level, depth) =>
      level
        .sort((a, b) => a.startedAt - b.startedAt)
        .flatMap((span) => [
          [span, depth],
          ...below(
            spans.filter(({ parentId }) => parentId === span.spanId),
            depth + 1,
          ),
        ])
    return below(
      spans.filter(({ parentId }) => !ids.has(parentId)),
      0,
    )
  }

  function renderSpan({ name, kind, spanId, startedAt, durationMs, attributes, error }, depth, start, total) {
    const bar = span(`bar ${error ? 'error' : kind}`)
    // The policy forbids style attributes, but permits these properties.
    bar.style.marginLeft = `${Math.min(99.5, (100 * (startedAt - start)) / total)}%`
    bar.style.width = `${Math.min(100, (100 * durationMs) / total)}%`
    const label = span(error ? 'fail' : '', name)
    label.style.paddingLeft = `${Math.min(depth, 8) * 0.75}rem`
    const body = Object.entries({ ...attributes, 'span.id': spanId })
      .map(([key, value]) => `${key}: ${value}`)
      .join('\n')
    return make('span', { name: label, bar, duration: format(durationMs, 'ms'), body })
  }

  function renderLine(text, start) {
    const fields = JSON.parse(text)
    const { '@timestamp': time, 'log.level': level = '', message = '' } = fields
    const since = time ? `+${Math.max(0, Date.parse(time) - Math.floor(start))} ms` : ''
    const className = /error|fatal/.test(level) ? 'fail' : level === 'warn' ? 'warn' : 'quiet'
    return make('line', {
      since,
      level: span(className, level),
      message: String(message),
      body: JSON.stringify(fields, null, 2),
    })
  }

  function renderEntry({ requests, spans, lines, omitted }) {
    const { requestId, traceId, path, error, startedAt } = requests.at(-1)
    const start = Math.min(...spans.map((each) => each.startedAt), startedAt)
    const total = Math.max(...spans.map((each) => each.startedAt + each.durationMs), start + 1) - start
    return make('entry', {
      time: [new Date(startedAt).toISOString(), ' ', path, ' ', span('fail', error ?? '')],
      request: link(requestId),
      trace: link(traceId),
      spans: listTree(spans).map(([each, depth]) => renderSpan(each, depth, start, total)),
      lines: lines.length > 0 ? lines.map((line) => renderLine(line, start)) : 'None.',
      omitted: omitted > 0 ? `${omitted} more spans and lines did not fit.` : '',
    })
  }

  async function load(path) {
    const response = await fetch(path, { signal: AbortSignal.timeout(5_000) })
    if (!response.ok) throw new Error(`${path}: status ${response.status}`)
    return response.json()
  }
  const search = (id) => load(`/board.json?q=${encodeURIComponent(id)}`)

  function renderRequest(request) {
    const { requestId, name, status, durationMs, isFailed, error, cause } = request
    const parts = {
      name: label(name),
      status: span(isFailed ? 'fail' : status >= 200 && status < 400 ? 'ok' : 'warn', status || '–'),
      text: isFailed && error ? span('fail', error) : cause,
    }
    const element = make('request', { ...parts, duration: format(durationMs, 'ms') })
    element.request = request
    element.addEventListener('toggle', async () => {
      const body = element.lastElementChild
      if (!element.open || body.querySelector('.body')) return
      const { found } = await search(requestId).catch(() => ({ found: [] }))
      body.replaceChildren(...(found.length > 0 ? found.map(renderEntry) : [span('empty', 'No longer in memory.')]))
    })
    return element
  }

  /** Shows a list and keeps the elements of its earlier requests, so that they stay open. */
  function renderList(list, requests, none) {
    const old = new Map([...list.children].map((element) => [element.request?.spanId, element]))
    const elements = requests.map((request) => old.get(request.spanId) ?? renderRequest(request))
    const isSame = elements.length === old.size && elements.every((each, index) => each === list.children[index])
    if (!isSame) list.replaceChildren(...elements)
    if (elements.length === 0) list.replaceChildren(span('empty', none))
    for (const element of elements)
      element.querySelector('[data-part=age]').textContent = formatAge(element.request.startedAt)
  }

  function renderRequests() {
    renderList(find('#requests'), state[chosen], 'None.')
  }

  async function renderFound() {
    if (!query || find('#found details')) return
    const { found } = await search(query)
    find('#found').hidden = false
    find('#found h2').textContent = `Requests of ${query}`
    const none =
      'Not in memory. The board keeps the slowest, the failed and the latest requests of this instance. Search the log.'
    renderList(
      find('#found > div'),
      found.flatMap(({ requests }) => requests),
      none,
    )
    for (const element of document.querySelectorAll('#found .request')) element.open = true
  }

  async function poll() {
    try {
      if (!document.hidden) {
        state = await load('/board.json')
        renderState(state)
        renderNumbers(state)
        renderRequests()
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
  find('#tabs').addEventListener('click', ({ target }) => {
    chosen = target.value || chosen
    for (const button of find('#tabs').children) button.setAttribute('aria-pressed', button.value === chosen)
    if (state) renderRequests()
  })
  poll()
}
