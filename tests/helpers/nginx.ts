/**
 * A real nginx on a free port of the loopback interface.
 *
 * @module
 */

import { join } from "node:path";
import type { DebianTool } from "./debian.ts";
import { freePort } from "./free_port.ts";

/** What nginx is to do. */
export interface NginxOptions {
  /** Where its files go. */
  readonly folder: string;
  /** Directives of the `http` block. */
  readonly http: string;
  /** Directives of the one location. */
  readonly location: string;
}

/** Starts nginx and waits until it accepts. */
export async function startNginx(
  nginx: DebianTool,
  { folder, http, location }: NginxOptions,
): Promise<AsyncDisposable & { readonly origin: string }> {
  const port = freePort();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${join(folder, name)};`).join(" ");
  const path = join(folder, "nginx.conf");
  await Deno.writeTextFile(
    path,
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr error;
    ${Deno.uid() === 0 ? "user root;" : ""}
    events {}
    http {
      access_log off; ${temporary} ${http}
      server { listen 127.0.0.1:${port}; location / { ${location} } }
    }`,
  );
  const process = new Deno.Command(nginx.path, {
    args: ["-e", "stderr", "-c", path],
    env: { ...nginx.env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const origin = `http://127.0.0.1:${port}`;
  let hasEnded = false;
  void process.status.then(() => hasEnded = true);
  while (!await accepts(port)) {
    if (hasEnded) throw new Error("nginx ended at once");
  }
  return {
    origin,
    [Symbol.asyncDispose]: async () => {
      process.kill("SIGTERM");
      await process.status;
    },
  };
}

async function accepts(port: number): Promise<boolean> {
  try {
    using _connection = await Deno.connect({ hostname: "127.0.0.1", port });
    return true;
  } catch {
    return false;
  }
}
