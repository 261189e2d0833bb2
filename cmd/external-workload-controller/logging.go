package main

import (
	"flag"
	"io"
	"log"
	"log/slog"
	"strconv"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// setUpLogging configures klog to write to out in a format.
func setUpLogging(out io.Writer, format string, verbosity int) {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	for name, value := range map[string]string{"v": strconv.Itoa(verbosity), "logtostderr": "false", "stderrthreshold": "FATAL", "one_output": "true"} {
		if err := flags.Set(name, value); err != nil {
			panic(err) // the flags are klog's own
		}
	}
	klog.SetOutput(out)
	if format == formatJSON {
		handler := slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.Level(-verbosity)})
		klog.SetLoggerWithOptions(logr.FromSlogHandler(handler), klog.ContextualLogger(true))
	}
	log.SetFlags(0)
	log.SetOutput(standardLog{})
}

// maxStandardLine is the maximum length of a line of the standard logger.
const maxStandardLine = 512

// standardLog passes lines of the standard logger to klog at a debug level: net/http
// logs text from remote machines there.
type standardLog struct{}

// Write logs one line.
func (standardLog) Write(line []byte) (int, error) {
	klog.Background().V(4).Info("A library wrote to the standard logger", "line", string(line[:min(len(line), maxStandardLine)]))
	return len(line), nil
}
