// A foreign client that shows a certificate, and a token where one is given: prints the scripts that
// it may see as one JSON line, and what calling the first of them gives.
//
//   node secure.js HOST:PORT PROTO_FOLDER TLS_FOLDER CERTIFICATE_NAME [TOKEN_FILE]

const fs = require("node:fs");
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [address, protoFolder, tlsFolder, name, tokenFile] = process.argv.slice(2);
const definition = loader.loadSync("loki/v1/service.proto", {
  keepCase: true,
  includeDirs: [protoFolder],
});
const { loki } = grpc.loadPackageDefinition(definition);
const read = (file) => fs.readFileSync(path.join(tlsFolder, file));
let credentials = grpc.credentials.createSsl(
  read("ca.crt"),
  read(`${name}.key`),
  read(`${name}.crt`),
);
if (tokenFile) {
  const token = fs.readFileSync(tokenFile, "utf8").trim();
  const bearer = grpc.credentials.createFromMetadataGenerator((_, done) => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    done(null, metadata);
  });
  credentials = grpc.credentials.combineChannelCredentials(credentials, bearer);
}
const client = new loki.v1.LokiService(address, credentials);

client.ListScripts({}, (error, listed) => {
  if (error) throw error;
  const scripts = listed.scripts.map((script) => script.name);
  client.ExecuteScript({ input: { name: scripts[0] } }, (failed, executed) => {
    if (failed) throw failed;
    console.log(JSON.stringify({ scripts, value: executed.result.value.string_value }));
    client.close();
  });
});
