// A foreign client that knows nothing but an address: finds a typed method by server reflection,
// calls it and streams it, and prints one JSON line for each thing it learned.
//
//   node reflection.js HOST:PORT v1|v1alpha

const grpc = require("@grpc/grpc-js");
const { GrpcReflection } = require("grpc-js-reflection-client");

const [address, version] = process.argv.slice(2);
const credentials = grpc.credentials.createInsecure();
const reflection = new GrpcReflection(address, credentials, {}, version);

function tell(step, facts) {
  console.log(JSON.stringify({ step, ...facts }));
}

async function client(name) {
  const descriptor = await reflection.getDescriptorBySymbol(name);
  const types = descriptor.getPackageObject({ keepCase: true, longs: String, oneofs: true });
  const Service = name.split(".").reduce((part, word) => part[word], types);
  return new Service(address, credentials);
}

function call(stub, request) {
  return new Promise((resolve, reject) => {
    stub.Call(request, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

async function main() {
  tell("services", { names: await reflection.listServices() });
  const methods = await reflection.listMethods("loki.tools.v1.ExactService");
  tell("methods", { names: methods.map((method) => method.name) });

  const exact = await client("loki.tools.v1.ExactService");
  tell("call", { value: (await call(exact, { n: "9007199254740993" })).value });
  exact.close();

  const countdown = await client("loki.tools.v1.CountdownService");
  const chunks = [];
  for await (const event of countdown.CallStream({ from: "2", interval_ms: "0" })) {
    chunks.push(event.chunk);
    if (event.chunk === "result") tell("stream", { chunks, value: event.result.value });
  }
  countdown.close();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
