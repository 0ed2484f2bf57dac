import { networkCases } from '@tweedie/testing/fixtures';

networkCases('ddpm-ve');
