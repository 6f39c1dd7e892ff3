// The oracle for Node: a cluster whose every answer is {"pid": of the worker that gives it}.
// usage: cluster.js WORKERS rr|shared
const cluster = require('cluster');
const http = require('http');

const workers = Number(process.argv[2]);

if (cluster.isMaster) {
  cluster.schedulingPolicy = process.argv[3] === 'rr' ? cluster.SCHED_RR : cluster.SCHED_NONE;
  let listening = 0;
  cluster.on('listening', (worker, address) => {
    if (++listening === workers) console.log(`listening on 127.0.0.1:${address.port}`);
  });
  for (let i = 0; i < workers; i++) cluster.fork();
} else {
  http.createServer((request, response) => {
    const ms = Number(new URL(request.url, 'http://x').searchParams.get('ms'));
    setTimeout(() => {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ pid: process.pid }));
    }, ms);
  }).listen(0, '127.0.0.1');
}
