package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/external-workload/controller/test/internal/panels"
)

// pictureRows is the number of rows that are drawn, from the top of the dashboard: those
// with symptoms for users rather than causes.
const pictureRows = 3

// drawDashboard draws the main panels at the end of this run.
func drawDashboard(ctx context.Context, c *cluster) error {
	board, err := c.dashboard()
	if err != nil {
		return err
	}
	now := time.Now()
	picture := panels.Picture{
		Title: board.Title,
		Caption: fmt.Sprintf("make e2e on %s: VMs come, lose and regain readiness, the leader is deleted and killed, writes are refused",
			now.UTC().Format(time.DateOnly)),
		From: c.watched, To: now, Step: graphStep,
		Rows:   board.Rows[:pictureRows],
		Series: map[string][]panels.Series{},
	}
	for _, row := range picture.Rows {
		for _, panel := range row.Panels {
			for _, query := range panel.Queries {
				series, err := c.series(ctx, query, now)
				if err != nil {
					return err
				}
				picture.Series[panel.Title] = append(picture.Series[panel.Title], series...)
			}
		}
	}
	svg, err := panels.Draw(picture)
	if err != nil {
		return err
	}
	return os.WriteFile(c.picture, svg, 0o644)
}
