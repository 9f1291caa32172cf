/**
 * The page: how things stand, for a person. It needs no script, and fetches nothing.
 *
 * @see https://hono.dev/docs/helpers/html
 * @module
 */

import { html, raw } from "hono/html";
import { bytesInWords, counted, durationInWords } from "./amounts.ts";
import type { DeviceView, ProblemView, Status } from "./status.ts";
import { STYLE } from "./style.ts";

/** What the template makes: its values are escaped, where they are no such markup themselves. */
type Markup = ReturnType<typeof html>;

/** So many characters tell a digest from the others of a fleet, as with Git's commits. */
const SHORT_DIGEST = 12;

/**
 * Renders the page. Whatever others have written, such as versions and errors, is escaped.
 *
 * @param status How things stand.
 * @returns The document.
 */
export async function renderPage(status: Status): Promise<string> {
  const { problems, service, generatedAt } = status;
  const nowMs = Date.parse(generatedAt);
  const state = problems.length === 0 ? "All is well" : counted(problems.length, "problem");
  const document = html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>${state} – OtaFlux</title>
        <link rel="icon" href="data:,">
        <style>${raw(STYLE)}</style>
      </head>
      <body>
        <header>
          <p class="name">OtaFlux</p>
          <h1 class="state ${problems.length === 0 ? "" : "wrong"}">${state}</h1>
        </header>
        <main>
    ${problems.length === 0 ? "" : html`<ul class="problems">${problems.map(problemItem)}</ul>`}
    ${factsList(status, nowMs)}
    ${devicesSection(status, nowMs)}
        </main>
        <footer class="small soft">
          <p>OtaFlux ${service.version}${service.commit === null
            ? ""
            : ` (commit ${service.commit})`},
    started ${ago(service.startedAt, nowMs)}. As of ${timeOfDay(generatedAt)} UTC.
    The same as <a href="api/status">JSON</a>, and as <a href="metrics">metrics</a>.</p>
        </footer>
      </body>
    </html>
  `;
  return String(await document);
}

function problemItem({ title, detail, reason, next, deviceCount, examples }: ProblemView): Markup {
  const others = (deviceCount ?? 0) - examples.length;
  return html`<li>
<h2>${title}</h2>
<p>${detail}</p>
${reason === null ? "" : html`<p class="small soft">${reason}</p>`}
${
    examples.length === 0
      ? ""
      : html`<ul class="reasons">${
        examples.map(({ device, reason }) =>
          html`<li><a href="${link({ device })}">${device}</a>: ${reason}</li>`
        )
      }${
        others <= 0
          ? ""
          : html`<li>and <a href="${link({ only: "failing" })}">${
            counted(others, "other")
          }</a></li>`
      }</ul>`
  }
<p><strong>Try:</strong> ${next}</p>
</li>`;
}

function factsList({ source, devices, cache, downloads, broker }: Status, nowMs: number): Markup {
  const { failure } = source;
  const failing = devices.failing === 0
    ? "no check fails"
    : `${devices.failing} with failing checks`;
  return html`<dl class="facts">
${
    fact(source.kind === "registry" ? "Registry" : "Folder of layouts", {
      value: failure === null ? "answers" : "away",
      isBad: failure !== null,
      more: failure === null
        ? source.name
        : html`for ${elapsed(failure.at, nowMs)}, tried again ${until(failure.retryAt, nowMs)}`,
    })
  }
${
    fact("Devices", {
      value: devices.total.toLocaleString("en"),
      more: failing,
      isBad: devices.failing > 0,
    })
  }
${fact("Downloads", { value: String(downloads.underWay), more: `of ${downloads.limit} at once` })}
${
    fact("Cache", {
      value: bytesInWords(cache.bytes),
      more: `of ${bytesInWords(cache.maxBytes)}, in ${
        cache.kind === "folder" ? "a folder" : "memory"
      }`,
    })
  }
${
    broker === null ? "" : fact("MQTT broker", {
      value: broker.isConnected ? "connected" : "away",
      isBad: !broker.isConnected,
      more: broker.pending === 0 ? "nothing waits" : `${broker.pending} waiting`,
    })
  }
</dl>`;
}

function fact(
  name: string,
  { value, more, isBad = false }: {
    readonly value: string;
    readonly more: string | Markup;
    readonly isBad?: boolean;
  },
): Markup {
  return html`
    <div>
      <dt>${name}</dt>
      <dd class="value ${isBad ? "bad" : ""}">${value}</dd>
      <dd class="small soft">${more}</dd>
    </div>
  `;
}

function devicesSection({ devices }: Status, nowMs: number): Markup {
  const { total, matching, prefix, onlyFailing, list } = devices;
  const isFiltered = prefix !== "" || onlyFailing;
  return html`<section aria-labelledby="devices">
<div class="heading">
<h2 id="devices">Devices</h2>
${isFiltered ? html`<p class="soft">${matching.toLocaleString("en")} of ${total}</p>` : ""}
<form method="get" role="search">
<label>Id begins with <input type="search" name="device" value="${prefix}" maxlength="255"
 autocapitalize="none" spellcheck="false"></label>
<label><input type="checkbox" name="only" value="failing" ${
    onlyFailing ? "checked" : ""
  }> only failing</label>
<button>Show</button>
</form>
</div>
${list.length === 0 ? emptyWords(total) : deviceTable(list, nowMs)}
${pagesNav(devices)}
</section>`;
}

function pagesNav({ after, next, prefix, onlyFailing }: Status["devices"]): Markup | string {
  if (after === "" && next === null) return "";
  const query = { device: prefix, only: onlyFailing ? "failing" : "" };
  return html`<nav class="pages" aria-label="Pages of devices">
${after === "" ? "" : html`<a href="${link(query)}">First page</a>`}
${next === null ? "" : html`<a href="${link({ ...query, after: next })}">Next page</a>`}
</nav>`;
}

function emptyWords(total: number): Markup {
  return total === 0
    ? html`<p>None has asked since the start. A device appears here with its first
<code>GET /version?device=…</code>.</p>`
    : html`<p>None of those that are known.</p>`;
}

/** Roles are said aloud: where the style makes cards of rows, browsers forget that it is a table. */
function deviceTable(list: readonly DeviceView[], nowMs: number): Markup {
  const hasReports = list.some(({ reportedVersions }) => reportedVersions !== null);
  const heads = [
    ["Device", ""],
    ["Version", ""],
    ["Size", "number"],
    ["Digest", ""],
    ["Signature", ""],
    ["Since", "number"],
    ["Last good check", "number"],
    ...hasReports ? [["Fleet reports", ""]] : [],
  ];
  return html`
    <table role="table" aria-labelledby="devices">
      <thead role="rowgroup">
        <tr role="row">${heads.map(([name, kind]) =>
          html`<th role="columnheader" scope="col" class="${kind}">${name}</th>`
        )}</tr>
      </thead>
      <tbody role="rowgroup">${list.map((device) =>
        deviceRow(device, { nowMs, hasReports })
      )}</tbody>
    </table>
  `;
}

function deviceRow(
  view: DeviceView,
  { nowMs, hasReports }: { readonly nowMs: number; readonly hasReports: boolean },
): Markup {
  const { device, version, size, digest, since, confirmedAt, failure, reportedVersions } = view;
  return html`<tr role="row">
<td role="cell" class="device">${device}${
    failure === null
      ? ""
      : html`<p class="bad">Check failed ${ago(failure.at, nowMs)}: ${failure.reason}</p>`
  }</td>
${cell("Version", "", version ?? "none")}
${cell("Size", "number", size === null ? "–" : sizeMarkup(size))}
${cell("Digest", "brief", digest === null ? "–" : digestMarkup(digest))}
${cell("Signature", "brief", signatureMarkup(view))}
${cell("Since", "number", since === null ? "–" : ago(since, nowMs))}
${cell("Last good check", "number", confirmedAt === null ? "never" : ago(confirmedAt, nowMs))}
${hasReports ? cell("Fleet reports", "", reportsMarkup(reportedVersions ?? [])) : ""}
</tr>`;
}

function cell(name: string, kind: string, content: string | Markup): Markup {
  return html`<td role="cell" class="${kind}" data-name="${name}">${content}</td>`;
}

function sizeMarkup(size: number): Markup {
  return html`<span title="${counted(size, "byte")}">${bytesInWords(size)}</span>`;
}

function digestMarkup(digest: string): Markup {
  const hex = digest.slice(digest.indexOf(":") + 1);
  return html`<code title="${digest}">${hex.slice(0, SHORT_DIGEST)}</code>`;
}

function signatureMarkup({ version, signature }: DeviceView): Markup {
  if (version === null) return html`–`;
  return signature === "valid" ? html`valid` : html`<span class="soft">not asked for</span>`;
}

function reportsMarkup(reports: NonNullable<DeviceView["reportedVersions"]>): Markup {
  if (reports.length === 0) return html`<span class="soft">nothing</span>`;
  return html`${
    reports.map(({ version, polls }, at) =>
      html`${at === 0 ? "" : ", "}<span title="${counted(polls, "request")}">${version}</span>`
    )
  }`;
}

function ago(time: string, nowMs: number): Markup {
  return html`<time datetime="${time}" title="${time}">${
    durationInWords(Math.max(0, nowMs - Date.parse(time)))
  } ago</time>`;
}

function elapsed(time: string, nowMs: number): Markup {
  return html`<time datetime="${time}" title="${time}">${
    durationInWords(Math.max(0, nowMs - Date.parse(time)))
  }</time>`;
}

function until(time: string, nowMs: number): string {
  const ms = Date.parse(time) - nowMs;
  return ms <= 0 ? "with the next request" : `in ${durationInWords(ms)}`;
}

function timeOfDay(time: string): Markup {
  return html`<time datetime="${time}">${time.slice(0, 19).replace("T", " ")}</time>`;
}

/** Relative, so that a proxy may serve the page below any path. */
function link(query: Readonly<Record<string, string>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== "");
  return `?${new URLSearchParams(Object.fromEntries(given))}`;
}
