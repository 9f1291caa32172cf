/**
 * The series of the process itself, by the names that Prometheus's own clients give them.
 *
 * prom-client's `collectDefaultMetrics` is not used: it reads most of them from `/proc/self`, which
 * Deno lets nobody read who is not allowed everything, and reports 0 for them then.
 *
 * @see https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
 * @module
 */

import { cpuUsage } from "node:process";
import { setImmediate } from "node:timers/promises";
import { Counter, Gauge, type Registry } from "prom-client";
import { StartTime } from "../start_time.ts";

/** Microseconds of a second: the unit of `cpuUsage`. */
const MICROSECONDS = 1_000_000;

/**
 * Adds the series. Each is read when the metrics are.
 *
 * @param registry All series.
 */
export function addProcessSeries(registry: Registry): void {
  const registers = [registry];
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Processor time of the process, its own and the system's, in seconds.",
    registers,
    collect(): void {
      const { user, system } = cpuUsage();
      this.reset();
      this.inc((user + system) / MICROSECONDS);
    },
  });
  const startTime = new StartTime();
  new Gauge({
    name: "process_start_time_seconds",
    help: "When the process started, in seconds since 1970.",
    registers,
    collect(): void {
      this.set(startTime.date.getTime() / 1000);
    },
  });
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Memory that the process holds, without what is swapped out.",
    registers,
    collect(): void {
      this.set(Deno.memoryUsage().rss);
    },
  });
  new Gauge({
    name: "process_heap_bytes",
    help: "Memory of JavaScript's heap that is in use.",
    registers,
    collect(): void {
      this.set(Deno.memoryUsage().heapUsed);
    },
  });
  new Gauge({
    name: "process_external_memory_bytes",
    help: "Memory of buffers outside of JavaScript's heap.",
    registers,
    collect(): void {
      this.set(Deno.memoryUsage().external);
    },
  });
  new Gauge({
    name: "process_event_loop_lag_seconds",
    help: "How long work that was due had to wait for its turn while the metrics were read.",
    registers,
    async collect(): Promise<void> {
      const start = performance.now();
      await setImmediate();
      this.set((performance.now() - start) / 1000);
    },
  });
}
