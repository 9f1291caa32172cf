import assert from "node:assert/strict";
import fc from "fast-check";
import { parseChallenges } from "../../src/registry/challenge.ts";

type Plain = readonly (readonly [scheme: string, parameters: Record<string, string>])[];

function parse(header: string): Plain {
  return parseChallenges(header)
    .map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

Deno.test("parseChallenges() reads what registries send", async (t) => {
  const cases: Readonly<Record<string, readonly [header: string, expected: Plain]>> = {
    "a token server's address, with a comma in the scope": [
      'Bearer realm="https://auth/token",service="registry",scope="repository:a/b:pull,push"',
      [["bearer", {
        realm: "https://auth/token",
        service: "registry",
        scope: "repository:a/b:pull,push",
      }]],
    ],
    "names in any case": ['BASIC Realm="x"', [["basic", { realm: "x" }]]],
    "values without quotes, and space around": [
      "  Bearer realm = x ,\tservice=y",
      [["bearer", { realm: "x", service: "y" }]],
    ],
    "escaped quotes": [String.raw`Basic realm="a \"b\" \\ \c"`, [["basic", {
      realm: String.raw`a "b" \ c`,
    }]]],
    "several challenges in one header": [
      'Negotiate, NTLM abc+/==, Bearer realm="x", error="y", Basic realm="z"',
      [["negotiate", {}], ["ntlm", {}], ["bearer", { realm: "x", error: "y" }], ["basic", {
        realm: "z",
      }]],
    ],
    "empty elements of the list": [',, Basic realm="x",,', [["basic", { realm: "x" }]]],
    "the first of two equal names": ['Basic realm="x", realm="y"', [["basic", { realm: "x" }]]],
    "an empty value": ['Basic realm=""', [["basic", { realm: "" }]]],
    "nothing": ["", []],
    "what is no challenge": ['"realm', []],
    "good beginnings": ['Basic realm="x", "oops", Bearer realm="y"', [["basic", { realm: "x" }]]],
  };
  for (const [name, [header, expected]] of Object.entries(cases)) {
    await t.step(name, () => assert.deepEqual(parse(header), expected));
  }
});

const TOKEN_CHARACTERS =
  "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const tokens = fc.string({
  unit: fc.constantFrom(...TOKEN_CHARACTERS),
  minLength: 1,
  maxLength: 12,
});
const quotables = fc.string({ unit: fc.constantFrom(...'a"\\,= \t;é/:[]'), maxLength: 20 });

interface GeneratedParameter {
  readonly name: string;
  readonly value: string;
  readonly written: string;
}

const parameters: fc.Arbitrary<GeneratedParameter> = fc.oneof(
  fc.tuple(tokens, tokens).map(([name, value]) => ({ name, value, written: `${name}=${value}` })),
  fc.tuple(tokens, quotables).map(([name, value]) => ({
    name,
    value,
    written: `${name}="${value.replaceAll(/["\\]/g, "\\$&")}"`,
  })),
);

const challenges = fc.record({
  scheme: tokens,
  parameters: fc.uniqueArray(parameters, {
    selector: ({ name }) => name.toLowerCase(),
    maxLength: 4,
  }),
});

Deno.test("parseChallenges() gives back what was written", () => {
  fc.assert(
    fc.property(
      fc.array(challenges, { maxLength: 4 }),
      fc.constantFrom(",", ", ", " ,\t"),
      (generated, separator) => {
        const header = generated
          .map(({ scheme, parameters }) =>
            `${scheme} ${parameters.map(({ written }) => written).join(separator)}`
          )
          .join(separator);
        const expected = generated.map(({ scheme, parameters }) => [
          scheme.toLowerCase(),
          Object.fromEntries(parameters.map(({ name, value }) => [name.toLowerCase(), value])),
        ]);
        assert.deepEqual(parse(header), expected, header);
      },
    ),
  );
});

Deno.test("parseChallenges() takes any text without complaint", () => {
  const fragments = fc.array(
    fc.constantFrom("Bearer", " ", ",", "=", '"', "\\", "realm", "a", "==", "\t", "é", "\n"),
    { maxLength: 60 },
  ).map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fragments), (header) => {
      for (const { scheme } of parseChallenges(header)) assert.match(scheme, /^\S+$/);
    }),
  );
});

Deno.test("parseChallenges() reads long headers in a time that grows with their length only", () => {
  const many = 200_000;
  const headers = [
    `a="${'\\"'.repeat(many)}`,
    "a ".repeat(many),
    `${"a".repeat(many)}${" ".repeat(many)}"`,
    `a${"=".repeat(many)}`,
    'a b="'.repeat(many),
  ];
  const start = performance.now();
  for (const header of headers) parseChallenges(header);
  // A generous bound: what grows with the square would take minutes.
  assert.ok(performance.now() - start < 10_000);
});
