// Before all tests: pictures, and one server with a stub that they share; a test that kills servers starts its own.
import { makePictures } from "./files";
import { QUICK, Server } from "./server";

export default async function start(): Promise<() => Promise<void>> {
  makePictures();
  const server = await new Server(QUICK).start();
  process.env["EDIFFUSER_URL"] = server.url;
  return () => server.stop();
}
