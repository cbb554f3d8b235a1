// node server.js PORT: takes an order, stores the event and three steps of a sequence in one
// statement, durable, and answers 202. One process and 16 connections to the database of
// DATABASE_URL, its best setting on two cores. It checks and joins nothing.
'use strict'
const { Pool } = require('pg')
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 16 })

const insert = {
  name: 'insert',
  text: `WITH e AS (INSERT INTO events (ext_id, body) VALUES ($1, $2) RETURNING seq)
    INSERT INTO steps (seq, step, due_at) SELECT e.seq, s, now() + s * interval '1 day' FROM e, generate_series(1, 3) s`
}

async function main () {
  await pool.query(`DROP TABLE IF EXISTS events, steps;
    CREATE TABLE events (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ext_id text NOT NULL, body text NOT NULL);
    CREATE TABLE steps (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, seq bigint, step int, due_at timestamptz, state smallint DEFAULT 0);
    CREATE INDEX ON steps (due_at, id) WHERE state = 0`)
  const app = require('fastify')({ logger: false })
  app.addContentTypeParser('application/cloudevents+json', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'))
  app.post('/events', async (request, reply) => {
    await pool.query({ ...insert, values: [request.body.id, JSON.stringify(request.body)] })
    reply.code(202).send()
  })
  await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
}

main()
