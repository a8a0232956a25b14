// A foreign client of typed methods: knows an address and the name of a script, asks reflection for
// the schema, calls, and prints one JSON line for each thing it learned.
//
//   node typed.js HOST:PORT

const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const protobuf = require("protobufjs");

const [address] = process.argv.slice(2);
const insecure = grpc.credentials.createInsecure();

// grpc.reflection.v1 and google.rpc, as much of them as is needed here.
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Request {
    oneof message_request { string file_by_filename = 3; string file_containing_symbol = 4; }
  }
  message Response { Files file_descriptor_response = 4; Failed error_response = 7; }
  message Files { repeated bytes file_descriptor_proto = 1; }
  message Failed { int32 error_code = 1; string error_message = 2; }
  message FileSet { repeated bytes file = 1; }
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
`);
const [Request, Response, FileSet, Status, ErrorInfo] = [
  "Request",
  "Response",
  "FileSet",
  "Status",
  "ErrorInfo",
].map((name) => root.lookupType(name));

function tell(step, facts) {
  console.log(JSON.stringify({ step, ...facts }));
}

// The files that define a symbol, by reflection: the first one with all that it imports.
function filesOf(symbol) {
  const client = new grpc.Client(address, insecure);
  return new Promise((resolve, reject) => {
    const stream = client.makeBidiStreamRequest(
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      (message) => Buffer.from(Request.encode(message).finish()),
      (bytes) => Response.decode(bytes),
    );
    stream.on("error", reject);
    stream.on("data", ({ fileDescriptorResponse: found, errorResponse: failed }) => {
      stream.end();
      if (found) resolve(found.fileDescriptorProto);
      else reject(new Error(failed.errorMessage));
    });
    stream.write(Request.create({ fileContainingSymbol: symbol }));
  }).finally(() => client.close());
}

async function typedClient(service) {
  const file = await filesOf(service);
  const options = { longs: String, oneofs: true, keepCase: true };
  const set = Buffer.from(FileSet.encode({ file }).finish());
  const loaded = grpc.loadPackageDefinition(
    loader.loadFileDescriptorSetFromBuffer(set, options),
  );
  const Client = service.split(".").reduce((part, name) => part[name], loaded);
  return new Client(address, insecure);
}

function call(client, request) {
  return new Promise((resolve, reject) => {
    client.Call(request, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

function reasonOf(error) {
  const status = Status.decode(error.metadata.get("grpc-status-details-bin")[0]);
  const any = status.details.find((detail) => detail.typeUrl.endsWith("/google.rpc.ErrorInfo"));
  return ErrorInfo.decode(any.value).reason;
}

async function unary() {
  const client = await typedClient("loki.tools.v1.HelloService");
  const { value, usage } = await call(client, { name: "Node" });
  const byDefault = await call(client, {});
  tell("call", { value, byDefault: byDefault.value, used: usage.wall_ms > 0 });
  client.close();
}

async function integer() {
  const client = await typedClient("loki.tools.v1.EchoIntegerService");
  const { value } = await call(client, { big: "9007199254740993" });
  tell("integer", { value });
  try {
    await call(client, {});
  } catch (error) {
    tell("missing", { code: grpc.status[error.code], reason: reasonOf(error) });
  }
  client.close();
}

async function stream() {
  const client = await typedClient("loki.tools.v1.CountdownService");
  const chunks = [];
  for await (const event of client.CallStream({ from: "3", interval_ms: "1" })) {
    chunks.push(event.chunk);
    if (event.result) tell("stream", { chunks, value: event.result.value });
  }
  client.close();
}

async function main() {
  await unary();
  await integer();
  await stream();
}

main().catch((error) => {
  console.error(`${path.basename(__filename)}: ${error.message}`);
  process.exitCode = 1;
});
