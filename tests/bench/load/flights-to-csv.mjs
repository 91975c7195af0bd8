// The flights of npm's vega-datasets as CSV on standard output: date, delay, distance, origin and
// destination, no header, in the file's order. Imports are found from the folder a script lies in,
// so it is copied to where the packages are before it is run.
import { once } from 'node:events'
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

const path = new URL('node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url).pathname
const file = await asyncBufferFromFile(path)
const metadata = await parquetMetadataAsync(file)
const columns = ['date', 'delay', 'distance', 'origin', 'destination']

// A field that is not known is empty, which COPY reads as NULL. No value holds a comma or a quote.
const field = value =>
    value == null ? '' : value instanceof Date ? value.toISOString().slice(0, 19) : String(value)

let rowStart = 0
for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows)
    let rows
    await parquetRead({
        file, metadata, compressors, columns, rowStart, rowEnd,
        onComplete: read => { rows = read },
    })
    const text = rows.map(row => row.map(field).join(',')).join('\n') + '\n'
    if (!process.stdout.write(text)) await once(process.stdout, 'drain')
    rowStart = rowEnd
}
