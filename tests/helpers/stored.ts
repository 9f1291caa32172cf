/**
 * What is in a store, and a store that tells what became of its drafts.
 *
 * @module
 */

import type { FirmwareReader, FirmwareStore, StoreDraft } from "../../src/firmware/firmware.ts";
import { MemoryStore } from "../../src/store/memory.ts";

/** Reads to the end, and closes. */
export async function bytesOf(reader: FirmwareReader): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  try {
    for (let part; (part = await reader.read(65536)) !== undefined;) parts.push(part);
  } finally {
    reader.close();
  }
  return await new Blob(parts).bytes();
}

/** Reads what a store has of a SHA-256; undefined where it has nothing. */
export async function storedBytes(
  store: Pick<FirmwareStore, "open">,
  sha256: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const reader = await store.open(sha256);
  return reader && await bytesOf(reader);
}

/** Keeps in memory, and remembers what became of each draft. */
export class WatchedStore {
  readonly #contents = new MemoryStore({ maxBytes: 2 ** 30 });
  /** Whether it wants layers, too. */
  readonly keepsLayers: boolean;
  /** What was committed, by SHA-256, in this order. */
  readonly committed: string[] = [];
  /** How many drafts were begun and neither committed nor discarded. */
  open = 0;

  /** @param keepsLayers Whether it wants layers, too. */
  constructor({ keepsLayers = false }: { readonly keepsLayers?: boolean } = {}) {
    this.keepsLayers = keepsLayers;
  }

  async draft(size: number): Promise<StoreDraft> {
    const draft = await this.#contents.draft(size);
    this.open++;
    let isOpen = true;
    const close = (): void => {
      if (isOpen) this.open--;
      isOpen = false;
    };
    return {
      write: (chunk) => draft.write(chunk),
      commit: async (sha256) => {
        await draft.commit(sha256);
        this.committed.push(sha256);
        close();
      },
      discard: async () => {
        await draft.discard();
        close();
      },
    };
  }

  /** The bytes of a SHA-256 that was committed. */
  async bytes(sha256: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await storedBytes(this.#contents, sha256);
  }
}
