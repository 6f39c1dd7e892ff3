# The oracle for Ruby's servers: every answer is {"pid": of the process that gives it}.
require "json"

run(lambda do |env|
  ms = env["QUERY_STRING"][/\bms=(\d+)/, 1]
  sleep(ms.to_f / 1000) if env["PATH_INFO"] == "/sleep" && ms
  body = JSON.generate("pid" => Process.pid)
  [200, { "Content-Type" => "application/json", "Content-Length" => body.bytesize.to_s }, [body]]
end)
