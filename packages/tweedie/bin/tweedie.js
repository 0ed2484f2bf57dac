#!/usr/bin/env node
import '@tweedie/cli/command';
