/**
 * The service and what it is compared with, as processes on loopback.
 *
 * @module
 */

import { join } from "node:path";
import { freePort } from "../tests/helpers/free_port.ts";
import { subjectCommand } from "../tests/helpers/subject.ts";

/** A process that listens on a port of the loopback interface. */
export interface Served extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
}

/**
 * Starts the service, as `OTAFLUX_SUBJECT` says, and waits until it answers.
 *
 * @param options What is asked first. @default `/health`
 */
export async function startOtaflux(
  args: readonly string[],
  { path = "/health" }: { readonly path?: string } = {},
): Promise<Served> {
  const port = freePort();
  const subject = await subjectCommand();
  const process = new Deno.Command(subject.command, {
    args: [
      ...[...subject.args, "--listen-addr", `127.0.0.1:${port}`],
      ...["--metrics-listen-addr", "127.0.0.1:0", "--log-level", "error", ...args],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  return await serving(process, port, path);
}

/** Starts nginx on the files of a folder, with one worker as the service has one thread. */
export async function startNginx(folder: string): Promise<Served> {
  const port = freePort();
  const config = join(folder, "nginx.conf");
  await Deno.writeTextFile(
    config,
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr crit;
    user root;
    events { worker_connections 4096; }
    http { access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi;
      scgi_temp_path ${folder}/scgi;
      server { listen 127.0.0.1:${port}; root ${folder}/www; } }`,
  );
  const process = new Deno.Command("nginx", {
    args: ["-c", config],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  return await serving(process, port, "/");
}

async function serving(process: Deno.ChildProcess, port: number, path: string): Promise<Served> {
  for (;;) {
    try {
      await (await fetch(`http://127.0.0.1:${port}${path}`)).body?.cancel();
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  return {
    port,
    pid: process.pid,
    async [Symbol.asyncDispose](): Promise<void> {
      process.kill("SIGTERM");
      await process.status;
    },
  };
}

/** Resident memory of a process in MiB. */
export async function residentMiB(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", `${pid}`] })
    .output();
  return Number(new TextDecoder().decode(stdout)) / 1024;
}

/** Starts a `Deno.serve` that always answers the same. */
export async function startConstant(): Promise<Served> {
  const port = freePort();
  const script = join(import.meta.dirname ?? ".", "constant.ts");
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-net", "--no-config", script, `${port}`],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  return await serving(process, port, "/");
}

/** What wrk gets out of an address in three seconds. */
export interface Rate {
  readonly requestsPerSecond: number;
  /** Also of answers that were not complete at the end. */
  readonly bytesPerSecond: number;
}

/** Asks an address for the same again and again, for three seconds. */
export async function rateOf(url: string, connections: number): Promise<Rate> {
  const { stdout, success } = await new Deno.Command("wrk", {
    args: ["-t1", `-c${connections}`, "-d3s", url],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const [, requests] = /Requests\/sec:\s+([\d.]+)/.exec(text) ?? [];
  const [, amount, unit = ""] = /Transfer\/sec:\s+([\d.]+)([KMGT]?)B/.exec(text) ?? [];
  if (!success || amount === undefined || /Non-2xx/.test(text)) throw new Error(`wrk: ${text}`);
  const bytesPerSecond = Number(amount) * 1024 ** ["", "K", "M", "G", "T"].indexOf(unit);
  return { requestsPerSecond: Number(requests), bytesPerSecond };
}
