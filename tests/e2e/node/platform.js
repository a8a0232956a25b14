// A foreign platform in miniature: discovers what a Loki offers, calls it, and prints one JSON
// line for each thing it learned. Knows nothing of Loki but its address and its .proto files.
//
//   node platform.js HOST:PORT PROTO_FOLDER

const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const protobuf = require("protobufjs");

const [address, protoFolder] = process.argv.slice(2);
const options = { keepCase: true, longs: String, enums: String, oneofs: true };
const definition = loader.loadSync("loki/v1/service.proto", {
  ...options,
  includeDirs: [protoFolder],
});
const { loki } = grpc.loadPackageDefinition(definition);
const client = new loki.v1.LokiService(address, grpc.credentials.createInsecure());

// google.rpc, as much of it as an error's reason needs.
const rpc = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
`).root;

function tell(step, facts) {
  console.log(JSON.stringify({ step, ...facts }));
}

function call(method, request) {
  return new Promise((resolve, reject) => {
    client[method](request, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

function errorInfo(error) {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const status = rpc.lookupType("google.rpc.Status").decode(bytes);
  const any = status.details.find((detail) => detail.typeUrl.endsWith("/google.rpc.ErrorInfo"));
  return rpc.lookupType("google.rpc.ErrorInfo").decode(any.value);
}

async function capabilities() {
  const answer = await call("GetCapabilities", {});
  tell("capabilities", {
    service: answer.service,
    version: answer.version,
    cores: answer.device.cores,
    model: answer.device.model,
    buses: answer.device.buses,
    children: answer.children.map((child) => child.name),
  });
}

async function scripts() {
  const names = [];
  let page_token = "";
  do {
    const page = await call("ListScripts", { page_size: 3, page_token });
    names.push(...page.scripts.map((script) => script.name));
    page_token = page.next_page_token;
  } while (page_token);
  tell("scripts", { names });
}

async function exactInteger() {
  const { result } = await call("ExecuteScript", {
    input: {
      source: "return { same = params.big, next = params.big + 1 }",
      arguments: { big: { int_value: "9007199254740993" } },
    },
  });
  const { same, next } = result.value.object_value.fields;
  tell("integer", { same: same.int_value, next: next.int_value, kind: same.kind });
}

async function named() {
  const { result, execution_id } = await call("ExecuteScript", {
    input: { name: "hello", arguments: { name: { string_value: "Jörmungandr" } } },
  });
  tell("call", { value: result.value.string_value, identified: execution_id !== "" });
}

function stream() {
  const request = {
    input: {
      name: "countdown",
      arguments: { from: { int_value: "3" }, interval_ms: { int_value: "1" } },
    },
  };
  return new Promise((resolve, reject) => {
    const chunks = [];
    client
      .StreamScriptExecution(request)
      .on("data", (event) => chunks.push(event.chunk))
      .on("error", reject)
      .on("end", () => {
        tell("stream", { chunks });
        resolve();
      });
  });
}

// Watches; once it knows that it does, it adds a script and waits to be told of that.
async function watch() {
  const stream = client.WatchEvents({ kinds: ["EVENT_KIND_SCRIPT_CHANGED"] });
  const name = "made_by_node";
  const items = [];
  try {
    for await (const { item, event } of stream) {
      items.push(item);
      if (item === "started") {
        const type = "VALUE_TYPE_INTEGER";
        const definition = { name, source: "return 1", return_type: type };
        await call("RegisterScript", { definition });
      } else {
        const { name: changed, change, origin } = event.script_changed;
        tell("watch", { items, fact: event.fact, name: changed, change, origin });
        break;
      }
    }
  } finally {
    stream.on("error", () => {}); // It is told that we cancelled.
    stream.cancel();
  }
  await call("UnregisterScript", { name });
}

async function failure() {
  try {
    await call("ExecuteScript", { input: { name: "no_such_script" } });
    tell("error", { reason: "there was none" });
  } catch (error) {
    const { reason, domain } = errorInfo(error);
    tell("error", { code: grpc.status[error.code], reason, domain });
  }
}

async function main() {
  await capabilities();
  await scripts();
  await named();
  await exactInteger();
  await stream();
  await watch();
  await failure();
  client.close();
}

main().catch((error) => {
  console.error(`${path.basename(__filename)}: ${error.message}`);
  process.exitCode = 1;
});
