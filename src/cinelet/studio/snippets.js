// A video as code that makes it again, in three languages. The key is never written out; a variable stands for it.

import { writeJson } from "./api.js";
import { requestOf } from "./request.js";

const OPENAI_FIELDS = ["prompt", "model", "size"];

const PICTURE = "start.png"; // where the code looks for the picture that the clip began with

/** `[name, text]` for each language. `base` is the URL of `/v1/`. */
export function snippetsFor(video, base, hasKey) {
  const request = requestOf(video);
  const languages = { curl: video.has_start_image ? curlForm : curl, Python: python, openai };
  return Object.entries(languages).map(([name, write]) => [name, write(request, base, hasKey, video.has_start_image)]);
}

function curl(request, base, hasKey) {
  return curlWith(["-H 'content-type: application/json'", `-d ${shellQuoted(writeJson(request, 2))}`], base, hasKey);
}

/** A picture travels in a form; there a list is JSON. */
function curlForm(request, base, hasKey) {
  const fields = Object.entries(request).map(([name, value]) => `${name}=${Array.isArray(value) ? writeJson(value) : value}`);
  return curlWith([...fields.map((field) => `--form-string ${shellQuoted(field)}`), `-F input_reference=@${PICTURE}`], base, hasKey);
}

function curlWith(lines, base, hasKey) {
  const key = hasKey ? ['-H "authorization: Bearer $CINELET_API_KEY"'] : [];
  return [`curl ${base}videos`, ...key, ...lines].join(" \\\n  ");
}

const shellQuoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

function python(request, base, hasKey, hasPicture) {
  const { prompt, num_inference_steps: steps, size, ...rest } = request;
  const fields = { text: prompt, steps, ...rest };
  const lines = Object.entries(fields).filter(([, value]) => value !== undefined).map(([name, value]) => `    ${name}=${pythonValue(name, value)},`);
  if (hasPicture) lines.push(`    image="${PICTURE}",`);
  if (size) lines.push(`    size=(${size.replace("x", ", ")}),`);
  const url = `url=${JSON.stringify(new URL("..", base).href.replace(/\/$/, ""))}`;
  const imports = hasKey ? "import os\n\nimport cinelet" : "import cinelet";
  const key = hasKey ? ', api_key=os.environ["CINELET_API_KEY"]' : "";
  return `${imports}\n\ngenerator = cinelet.TextToVideoGenerator(${url}${key})\nresult = generator.generate(\n${lines.join("\n")}\n)\nresult.save("clip.mp4")\n`;
}

function openai(request, base, hasKey, hasPicture) {
  const own = Object.entries(request).filter(([name]) => !OPENAI_FIELDS.includes(name));
  const lines = OPENAI_FIELDS.filter((name) => name in request).map((name) => `    ${name}=${pythonValue(name, request[name])},`);
  if (hasPicture) lines.push(`    input_reference=open("${PICTURE}", "rb"),`);
  const extra = own.map(([name, value]) => `        "${name}": ${pythonValue(name, value)},`).join("\n");
  const key = hasKey ? 'os.environ["CINELET_API_KEY"]' : '"none"';
  return `${hasKey ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(base.replace(/\/$/, ""))}, api_key=${key})
video = client.videos.create_and_poll(
${lines.join("\n")}
    extra_body={
${extra}
    },
)
client.videos.download_content(video.id).write_to_file("clip.mp4")
`;
}

/** A value as Python writes it; text as JSON writes it is Python too. A long seed is text here and a number there. */
const pythonValue = (name, value) => (name.endsWith("seed") ? String(value) : JSON.stringify(value));
