/**
 * What the program can do besides serving.
 *
 * @module
 */

/** All commands, and what each does in half a sentence. */
export const COMMANDS = {
  healthcheck: "ask the service that runs with the same flags whether it is ready, end with 0 or 1",
  check: "look for a device's firmware once, and say step by step what is found",
  completions: "print completions for a shell",
} as const satisfies Readonly<Record<string, string>>;
