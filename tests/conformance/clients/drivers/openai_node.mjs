// Runs openai-node as JSON lines on standard input tell it to. The first argument is the folder that holds node_modules.
//
// A line is {verb, id, fields, extra, headers, settings}, the answer {value, request_id} or {refused}; verbs are spelled as in
// Python. Knows nothing of cinelet.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { default: OpenAI, toFile } = createRequire(`${process.argv[2]}/`)("openai");

const WITH_BODY = new Set(["create", "list", "remix", "edit", "extend", "createCharacter", "downloadContent"]);

function client({ base_url, api_key, timeout_s, max_retries }) {
  return new OpenAI({ baseURL: base_url, apiKey: api_key, timeout: 1000 * timeout_s, maxRetries: max_retries });
}

async function given(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  if ("$bytes" in value) return toFile(Buffer.from(value.$bytes, "base64"), "upload");
  const entries = Object.entries(value).map(async ([name, entry]) => [name, await given(entry)]);
  return Object.fromEntries(await Promise.all(entries));
}

async function valueOf({ verb, id, fields, extra, headers, settings }) {
  const openai = client(settings);
  if (verb === "webhooks.unwrap") return [await openai.webhooks.unwrap(fields.payload, fields.received, fields.secret)];
  const [noun, spelled] = verb.split(".");
  const isPaged = spelled.endsWith("_pages");
  const name = spelled.replace("_pages", "").replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
  const args = id === null ? [] : [id];
  if (WITH_BODY.has(name) && noun !== "models") args.push(await given({ ...fields, ...extra }));
  const answer = await openai[noun][name](...args, { headers });
  if (isPaged) {
    const pages = [];
    for await (const page of answer.iterPages()) pages.push(page.data.map((entry) => entry.id));
    return [pages];
  }
  if (answer instanceof Response) {
    const bytes = Buffer.from(await answer.arrayBuffer());
    return [{ $bytes: bytes.toString("base64") }, answer.headers.get("x-request-id")];
  }
  return [JSON.parse(JSON.stringify(answer)), answer._request_id];
}

function refused(error) {
  const { status, code, param, type } = error;
  return { kind: error.constructor.name, message: String(error.message), status, code, param, type, request_id: error.requestID };
}

for await (const line of createInterface({ input: process.stdin })) {
  let told;
  try {
    const [value, requestId] = await valueOf(JSON.parse(line));
    told = { value: value ?? null, request_id: requestId ?? null };
  } catch (error) {
    told = { refused: refused(error) };
  }
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
