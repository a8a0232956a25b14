// A foreign client that speaks the Connect protocol with its own library: calls a script in both
// codecs, meets an error, a deadline and a stream, and prints one JSON line for each.
//
//   node connect.js http://HOST:PORT IMAGE
//
// IMAGE is what `buf build proto -o IMAGE` wrote.

const { readFileSync } = require("node:fs");
const { createFileRegistry, fromBinary } = require("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = require("@bufbuild/protobuf/wkt");
const { Code, ConnectError, createClient } = require("@connectrpc/connect");
const { createConnectTransport } = require("@connectrpc/connect-node");

const [baseUrl, image] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(image)));
const service = registry.getService("loki.v1.LokiService");

function tell(step, facts) {
  console.log(JSON.stringify({ step, ...facts }));
}

function client(useBinaryFormat) {
  return createClient(
    service,
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat }),
  );
}

function input(name, text) {
  return { input: { script: { case: "name", value: name }, arguments: argument(text) } };
}

function argument(text) {
  return { name: { kind: { case: "stringValue", value: text } } };
}

async function failure(promise) {
  const error = ConnectError.from(await promise.then(() => null, (reason) => reason));
  const details = registry.getMessage("loki.v1.ScriptError");
  const [found] = error.findDetails(details);
  return { code: Code[error.code], message: error.rawMessage, script: found?.script ?? "" };
}

async function first(stream) {
  for await (const message of stream) return message;
}

async function main() {
  for (const binary of [false, true]) {
    const { result } = await client(binary).executeScript(input("greet", "Jörmungandr"));
    tell("call", { binary, value: result.value.kind.value });
  }
  const json = client(false);
  tell("error", await failure(json.executeScript(input("nope", ""))));
  tell("deadline", await failure(json.executeScript(input("sleeper", ""), { timeoutMs: 100 })));
  tell("stream", await failure(first(json.watchEvents({}))));
}

main();
