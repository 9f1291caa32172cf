/**
 * Which registries are understood: the one list that routes, authentication, metrics and messages
 * follow from.
 *
 * @module
 */

import type { Webhook } from "./webhook.ts";
import { artifactory } from "./webhooks/artifactory.ts";
import { distribution } from "./webhooks/distribution.ts";
import { dockerhub } from "./webhooks/dockerhub.ts";
import { gitea } from "./webhooks/gitea.ts";
import { github } from "./webhooks/github.ts";
import { harbor } from "./webhooks/harbor.ts";
import { quay } from "./webhooks/quay.ts";
import { zot } from "./webhooks/zot.ts";

/** Webhooks by what stands behind `/webhooks/` in their path. */
export type Registries = Readonly<Record<string, Webhook>>;

/** All that there are. */
export const REGISTRIES = {
  harbor,
  distribution,
  zot,
  dockerhub,
  quay,
  github,
  gitea,
  artifactory,
} as const satisfies Registries;
