/**
 * What Harbor sends, member by member as its sources have it.
 *
 * @see https://github.com/goharbor/harbor/blob/v2.13.0/src/pkg/notifier/model/event.go
 * @module
 */

/** What an event is about. */
export interface HarborSubject {
  /** Full name of the repository. */
  readonly repository: string;
  /** After a push by digest this is the digest. @default "1.0.0" */
  readonly tag?: string;
  /** The event's type. @default "PUSH_ARTIFACT" */
  readonly type?: string;
  /** Seconds since 1970. @default some day */
  readonly occurAt?: number;
}

const DIGEST = `sha256:${"5f".repeat(32)}`;

/** An event in Harbor's own format. */
export function harborEvent(
  { repository, tag = "1.0.0", type = "PUSH_ARTIFACT", occurAt = 1_763_980_000 }: HarborSubject,
): Readonly<Record<string, unknown>> {
  return {
    type,
    occur_at: occurAt,
    operator: "robot$factory+ci",
    event_data: harborData(repository, tag),
  };
}

/** The same as a structured CloudEvent. */
export function harborCloudEvent(
  { repository, tag = "1.0.0", type = "harbor.artifact.pushed" }: HarborSubject,
): Readonly<Record<string, unknown>> {
  return {
    specversion: "1.0",
    requestid: "6b0a84cf-2d1e-4a0b-8f0c-2d8a3a1f9b5e",
    id: "4f1a72f3-4b87-4bd1-9ab8-3e9b7f0d5a11",
    source: "/projects/2/webhook/policies/15",
    type,
    datacontenttype: "application/json",
    time: "2026-11-24T10:00:00Z",
    data: harborData(repository, tag),
    operator: "admin",
  };
}

function harborData(repository: string, tag: string): Readonly<Record<string, unknown>> {
  const [namespace = "", ...rest] = repository.split("/");
  const separator = tag.includes(":") ? "@" : ":";
  return {
    resources: [{
      digest: tag.includes(":") ? tag : DIGEST,
      tag,
      resource_url: `harbor.example.com:8443/${repository}${separator}${tag}`,
    }],
    repository: {
      date_created: 1_763_970_000,
      name: rest.join("/"),
      namespace,
      repo_full_name: repository,
      repo_type: "private",
    },
  };
}
