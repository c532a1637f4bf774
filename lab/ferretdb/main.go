// The lab's MongoDB server: FerretDB with its SQLite handler.
//
// FerretDB's own package for embedding it has no replica set's name, with which it tells clients of one; its internal
// packages do. Go gives those to modules whose path begins with FerretDB's: that is why this one is called so.
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/internal/clientconn"
	"github.com/FerretDB/FerretDB/internal/clientconn/connmetrics"
	"github.com/FerretDB/FerretDB/internal/handler/registry"
	"github.com/FerretDB/FerretDB/internal/util/state"
)

func main() {
	address := flag.String("listen", "127.0.0.1:27017", "where to listen, host:port")
	folder := flag.String("dir", "", "the folder of the data; made where it is missing")
	replicaSet := flag.String("repl-set", "", "the name of a replica set to tell clients of; its oplog is local.oplog.rs, where that is made")
	flag.Parse()
	if err := os.MkdirAll(*folder, 0o700); err != nil {
		log.Fatal(err)
	}
	if err := serve(*address, *folder, *replicaSet); err != nil {
		log.Fatal(err)
	}
}

func serve(address, folder, replicaSet string) error {
	// In memory only: nothing is told to anybody.
	provider, err := state.NewProvider("")
	if err != nil {
		return err
	}
	err = provider.Update(func(s *state.State) {
		s.DisableTelemetry()
		s.TelemetryLocked = true
	})
	if err != nil {
		return err
	}
	metrics := connmetrics.NewListenerMetrics()
	handler, closeBackend, err := registry.NewHandler("sqlite", &registry.NewHandlerOpts{
		Logger:        slog.Default(),
		ConnMetrics:   metrics.ConnMetrics,
		StateProvider: provider,
		TCPHost:       address,
		ReplSetName:   replicaSet,
		SQLiteURL:     "file:" + folder + "/",
		TestOpts:      registry.TestOpts{CappedCleanupPercentage: 10, BatchSize: 100},
	})
	if err != nil {
		return err
	}
	defer closeBackend()
	listener, err := clientconn.Listen(&clientconn.NewListenerOpts{
		TCP:     address,
		Mode:    clientconn.NormalMode,
		Metrics: metrics,
		Handler: handler,
		Logger:  slog.Default(),
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener.Run(ctx)
	return nil
}
