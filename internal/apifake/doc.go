// Package apifake makes client-go's fake clientsets behave like an API server
// where a controller relies on it:
//
//   - Names come from generateName. Objects get a UID, a creation time, a
//     resourceVersion that increases with every change, and a generation that
//     increases with every change outside metadata and status.
//   - An update with an old resourceVersion, and a delete whose preconditions do
//     not hold, are refused as conflicts. An update that changes nothing is no
//     change.
//   - Watches begin where the list ended, and follow label selectors: an object
//     that ceases to match is deleted for that watch.
//
// A test can make requests fail before or after they took effect, delay events, change
// objects before they are stored, and read all requested writes.
//
// It validates nothing, defaults nothing and knows no subresources: a status
// update stores the whole object. What a real API server refuses is tested on
// a real API server.
//
// The package is test support: nothing that ships may import it.
package apifake
